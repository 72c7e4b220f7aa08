;; Wants a memory of 4 GiB from the start.
(component
  (core module $m
    (memory 65536)
    (func (export "ping") (result i32) i32.const 1))
  (core instance $i (instantiate $m))
  (func $ping (result u32) (canon lift (core func $i "ping")))
  (export "ping" (func $ping)))
