;; A component with nothing to call.
(component)
