"""Tables of methods: prunings by distillations by seeds, compared fairly."""
