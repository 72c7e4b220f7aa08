;; A component whose strings are UTF-16, as some toolchains have them: returns the text it gets.
(component
  (core module $m
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (local.get 0))
      (i32.store (i32.const 12) (local.get 1))
      i32.const 8)
    ;; Moves what there was, and never frees.
    (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $want i32)
      (result i32)
      (local $new i32)
      (local.set $new (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $new) (local.get $want)))
      (memory.copy (local.get $new) (local.get $old)
        (select (local.get $had) (local.get $want) (i32.lt_u (local.get $had) (local.get $want))))
      local.get $new))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func $echo (param "text" string) (result string)
    (canon lift (core func $i "echo") string-encoding=utf16
      (memory $memory) (realloc $realloc)))
  (export "echo" (func $echo)))
