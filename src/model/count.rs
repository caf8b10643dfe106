//! Numbers of things.

use std::fmt::Display;

/// A number with its noun: `1 table`, `2 tables`, `3 indexes`, `4 entries`.
pub fn count<N: Display + PartialEq + From<u8>>(n: N, one: &str) -> String {
    if n == N::from(1) {
        return format!("{n} {one}");
    }
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{n} {stem}ies"),
        _ if one.ends_with('x') => format!("{n} {one}es"),
        _ => format!("{n} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn one_is_singular_and_everything_else_plural() {
        assert_eq!(count(1_u64, "table"), "1 table");
        assert_eq!(count(0_usize, "table"), "0 tables");
        assert_eq!(count(2_i64, "more entry"), "2 more entries");
        assert_eq!(count(3_u32, "key"), "3 keys");
        assert_eq!(count(4_u64, "index"), "4 indexes");
    }
}
