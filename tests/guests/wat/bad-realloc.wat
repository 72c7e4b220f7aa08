;; Gives back addresses outside of its memory when the host asks for room for an argument.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "take") (param i32 i32) (result i32) local.get 1)
    (func (export "ping") (result i32) i32.const 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0x7ffffff0))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func $take (param "text" string) (result u32)
    (canon lift (core func $i "take") (memory $memory) (realloc $realloc)))
  (func $ping (result u32) (canon lift (core func $i "ping")))
  (export "take" (func $take))
  (export "ping" (func $ping)))
