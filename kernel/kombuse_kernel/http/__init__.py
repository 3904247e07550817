"""HTTP: guards, routing, binding of parameters, checked answers, errors."""
