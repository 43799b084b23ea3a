//! glue: see the module's documentation.
