//! Numbers and names as people read them.

use jiff::SignedDuration;

pub(crate) use super::text::bytes;
pub(crate) use crate::model::shown::quoted;
use crate::switchover::{
    moment::LagLine,
    settle::{Eta, Trend},
};

/// `0.4 s`, `15 s`, `3:20 min`, `1:02:05 h`.
pub(crate) fn seconds(time: SignedDuration) -> String {
    let whole = time.as_secs();
    match whole {
        0..10 if time.subsec_nanos() > 0 => format!("{:.1} s", time.as_secs_f64()),
        ..120 => format!("{whole} s"),
        120..3600 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// `shrinking, there in 4 s`.
pub(crate) fn trend(line: &LagLine) -> String {
    if line.stalled {
        return "stands still while blue writes".to_owned();
    }
    let trend = match line.trend {
        Trend::Unknown => "",
        Trend::Growing => "growing",
        Trend::Flat => "steady",
        Trend::Shrinking => "shrinking",
    };
    let eta = match line.eta {
        Eta::Unknown | Eta::Now => String::new(),
        Eta::In(time) => format!("there in {}", seconds(time)),
        Eta::Never => "never there at this rate".to_owned(),
    };
    [trend, &eta]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Eight heights, against the largest value or the limit.
pub(crate) fn sparkline(history: &[u64], limit: u64) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = history.iter().copied().max().unwrap_or(0).max(limit).max(1);
    let step = |value: u64| usize::try_from(u128::from(value) * 7 / u128::from(most)).unwrap_or(7);
    history.iter().map(|value| STEPS[step(*value)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        for (milliseconds, text) in [
            (400, "0.4 s"),
            (15_000, "15 s"),
            (200_000, "3:20 min"),
            (3_725_000, "1:02:05 h"),
            (0, "0 s"),
        ] {
            assert_eq!(seconds(SignedDuration::from_millis(milliseconds)), text);
        }
        assert_eq!(bytes(1 << 20), "1.0 MiB");
        assert_eq!(bytes(1023), "1023 bytes");
    }

    #[test]
    fn a_sparkline_is_as_high_as_the_limit() {
        assert_eq!(sparkline(&[0, 512, 1024], 1024), "▁▄█");
        assert_eq!(sparkline(&[0, 0], 1024), "▁▁");
        assert_eq!(sparkline(&[u64::MAX, 0], 1), "█▁");
        assert_eq!(sparkline(&[], 0), "");
    }
}
