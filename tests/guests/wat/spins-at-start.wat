;; Never ends being instantiated.
(component
  (core module $m
    (func $start (loop $again br $again))
    (start $start)
    (func (export "ping") (result i32) i32.const 1))
  (core instance $i (instantiate $m))
  (func $ping (result u32) (canon lift (core func $i "ping")))
  (export "ping" (func $ping)))
