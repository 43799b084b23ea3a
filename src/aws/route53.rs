//! route53: see the module's documentation.
