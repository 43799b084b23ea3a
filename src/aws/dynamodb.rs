//! dynamodb: see the module's documentation.
