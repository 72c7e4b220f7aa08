;; A component written by hand: `add` at the root, `mul` in an interface, nothing imported.
(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32)
      local.get 0 local.get 1 i32.add)
    (func (export "mul") (param i64 i64) (result i64)
      local.get 0 local.get 1 i64.mul))
  (core instance $i (instantiate $m))

  (func $add (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add")))
  (export "add" (func $add))

  (func $mul (param "a" s64) (param "b" s64) (result s64)
    (canon lift (core func $i "mul")))
  (instance $ops (export "mul" (func $mul)))
  (export "hand:made/ops@1.0.0" (instance $ops)))
