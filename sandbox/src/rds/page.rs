//! Paging by `MaxRecords` and `Marker`.
//!
//! RDS answers at most 100 records (1000 for orderable options) and hands out an opaque marker for the rest. A
//! client that forgets the marker sees a truncated world, so the limits here are RDS's own.
//! Source: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusters.html>

use super::{fault::Fault, params::Params};

const MARKER: &str = "sandbox-";

/// The page that the call asks for, and the marker of the next one.
///
/// # Errors
/// `InvalidParameterValue` for `MaxRecords` outside 20 to `most`, or a marker that was not handed out.
pub(crate) fn page<T>(
    items: Vec<T>,
    params: &Params,
    most: usize,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let size = match params.integer("MaxRecords")? {
        None => 100,
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|size| (20..=most).contains(size))
            .ok_or_else(|| {
                Fault::invalid_value(format!(
                    "Invalid value {size} for MaxRecords. Must be between 20 and {most}"
                ))
            })?,
    };
    let start = match params.get("Marker") {
        None => 0,
        Some(marker) => marker
            .strip_prefix(MARKER)
            .and_then(|offset| usize::from_str_radix(offset, 36).ok())
            .ok_or_else(|| Fault::invalid_value(format!("Marker {marker} is not valid")))?,
    };
    let end = start.saturating_add(size).min(items.len());
    let marker = (end < items.len()).then(|| format!("{MARKER}{}", base36(end)));
    Ok((items.into_iter().take(end).skip(start).collect(), marker))
}

fn base36(mut number: usize) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.reverse();
    String::from_utf8(digits).expect("digits are ASCII")
}

#[cfg(test)]
mod tests {
    use super::{Params, page};

    #[test]
    fn every_item_comes_once() {
        let mut marker = None::<String>;
        let mut seen = Vec::new();
        loop {
            let mut fields = vec![("MaxRecords".to_owned(), "20".to_owned())];
            fields.extend(marker.map(|marker| ("Marker".to_owned(), marker)));
            let (items, next) = page((0..450).collect(), &Params::new(fields), 100).expect("20 is allowed");
            seen.extend(items);
            marker = next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..450).collect::<Vec<_>>());
    }

    #[test]
    fn limits_are_those_of_rds() {
        for size in ["19", "101", "0", "x"] {
            let params = Params::new([("MaxRecords".to_owned(), size.to_owned())]);
            assert!(page(vec![1], &params, 100).is_err(), "{size}");
        }
    }
}
