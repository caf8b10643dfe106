//! Instance classes that can take the place of one that the target does not know.

use std::collections::BTreeSet;

/// Choices that are given.
const CHOICES: usize = 3;

/// `db.r6g.2xlarge` in parts: letters `r`, generation 6, attributes `g`, size `2xlarge`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts<'a> {
    family: &'a str,
    generation: u32,
    attributes: &'a str,
    size: &'a str,
}

impl<'a> Parts<'a> {
    fn of(class: &'a str) -> Option<Self> {
        let (family, size) = class.strip_prefix("db.")?.split_once('.')?;
        let digits = family.find(|c: char| c.is_ascii_digit())?;
        let (letters, rest) = family.split_at(digits);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some(Self {
            family: letters,
            generation: rest[..end].parse().ok()?,
            attributes: &rest[end..],
            size,
        })
    }

    /// Sizes in order: `large` is 4, `xlarge` 8, each further one so many times `xlarge`.
    fn weight(&self) -> u32 {
        match self.size {
            "micro" => 1,
            "small" => 2,
            "medium" => 3,
            "large" => 4,
            "xlarge" => 8,
            other => {
                let times = other.strip_suffix("xlarge").and_then(|n| n.parse::<u32>().ok());
                times.map_or(u32::MAX, |n| n.saturating_mul(8))
            }
        }
    }
}

/// The nearest classes that can be ordered: of the same kind and no smaller, first those of the same size, then those of
/// the nearest generation and with the same attributes (`g` is another processor architecture).
pub fn nearest(class: &str, orderable: &BTreeSet<String>) -> Vec<String> {
    let Some(wanted) = Parts::of(class) else {
        return Vec::new();
    };
    let mut found: Vec<(bool, u32, u32, bool, &str)> = orderable
        .iter()
        .filter_map(|name| {
            let parts = Parts::of(name)?;
            let fits = parts.family == wanted.family
                && parts.weight() >= wanted.weight()
                && parts.weight() < u32::MAX
                && name != class;
            let apart = parts.generation.abs_diff(wanted.generation);
            fits.then(|| {
                (
                    parts.weight() != wanted.weight(),
                    parts.weight(),
                    apart,
                    parts.attributes != wanted.attributes,
                    name.as_str(),
                )
            })
        })
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .take(CHOICES)
        .map(|(.., name)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_same_size_of_the_next_generation_comes_first() {
        let all = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect();
        let offered = all(&[
            "db.r5.large",
            "db.r5.xlarge",
            "db.r6g.large",
            "db.r6i.large",
            "db.t3.large",
            "db.serverless",
        ]);
        assert_eq!(
            nearest("db.r4.large", &offered),
            ["db.r5.large", "db.r6g.large", "db.r6i.large"]
        );
        // Where the size is not there, the next larger one; never a smaller one.
        assert_eq!(nearest("db.r4.xlarge", &offered), ["db.r5.xlarge"]);
        assert_eq!(nearest("db.x1.large", &offered), Vec::<String>::new());
        assert_eq!(nearest("db.serverless", &offered), Vec::<String>::new());
    }
}
