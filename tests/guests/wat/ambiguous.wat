;; The same function name in two interfaces: `ambiguous.value` alone says too little.
(component
  (core module $m
    (func (export "one") (result i32) i32.const 1)
    (func (export "two") (result i32) i32.const 2))
  (core instance $i (instantiate $m))
  (func $one (result u32) (canon lift (core func $i "one")))
  (func $two (result u32) (canon lift (core func $i "two")))
  (instance $first (export "value" (func $one)))
  (instance $second (export "value" (func $two)))
  (export "hand:made/first" (instance $first))
  (export "hand:made/second" (instance $second)))
