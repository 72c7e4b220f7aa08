;; Imports a function that no host of this kind has.
(component
  (import "nobody:knows/this@1.0.0" (instance $this
    (export "secret" (func (param "key" string) (result string)))))
  (core module $m (func (export "ping") (result i32) i32.const 1))
  (core instance $i (instantiate $m))
  (func $ping (result u32) (canon lift (core func $i "ping")))
  (export "ping" (func $ping)))
