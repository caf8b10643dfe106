//! Sizes.

/// Bytes in the unit that reads best: `512 bytes`, `1.5 KiB`, `20.0 MiB`.
pub fn size(bytes: impl Into<i128>) -> String {
    let bytes = bytes.into();
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mut value = bytes as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn the_unit_that_reads_best() {
        for (bytes, text) in [
            (-5_i64, "-5 bytes"),
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1 << 20, "1.0 MiB"),
            (45 << 29, "22.5 GiB"),
            (1 << 40, "1.0 TiB"),
            (1 << 52, "4096.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
