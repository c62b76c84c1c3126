//! Components that a person's machine may lack.
pub fn program(name: &str, _package: &str) -> bool { std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|d| d.join(name).exists())) }
