//! s3: see the module's documentation.
