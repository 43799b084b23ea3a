//! rds: see the module's documentation.
