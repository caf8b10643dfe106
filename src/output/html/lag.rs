//! How far green was behind at each look, as a chart and as a table.

use std::collections::BTreeMap;

use askama::Template;

use super::{Table, topology::slots};
use crate::output::{
    View,
    text::{bytes, clip, count},
};

/// Slots that are drawn: those furthest behind at the last look.
const DRAWN: usize = 6;

#[derive(Template)]
#[template(path = "lag.html")]
struct Chart {
    title: &'static str,
    description: String,
    ticks: Vec<(usize, String)>,
    times: Vec<(usize, String, &'static str)>,
    series: Vec<Series>,
}

struct Series {
    n: usize,
    y: usize,
    name: String,
    full: String,
    path: String,
    points: Vec<(usize, usize)>,
}

/// Chart, caption and table.
pub(super) struct Lag {
    pub(super) svg: String,
    pub(super) note: String,
    pub(super) table: Table,
}

/// None where lag was not looked at at least twice.
pub(super) fn lag(view: View<'_>) -> Option<Lag> {
    let samples = &view.facts.lag;
    let first = samples.first()?;
    if samples.len() < 2 {
        return None;
    }
    // Slot by slot, one value a sample; none where that look failed or did not find the slot.
    let mut by_slot: BTreeMap<(String, String), Vec<Option<u64>>> = BTreeMap::new();
    for (n, sample) in samples.iter().enumerate() {
        for slot in slots(&sample.blue).unwrap_or_default() {
            let values = by_slot.entry((slot.database, slot.name)).or_default();
            values.resize(n, None);
            values.push(slot.lag_bytes);
        }
    }
    if by_slot.is_empty() {
        return None;
    }
    let mut all: Vec<_> = by_slot.into_iter().collect();
    for (_, values) in &mut all {
        values.resize(samples.len(), None);
    }
    all.sort_by_key(|(name, values)| {
        (
            std::cmp::Reverse(values.iter().flatten().last().copied()),
            name.clone(),
        )
    });
    let times: Vec<jiff::Timestamp> = samples.iter().map(|s| s.at).collect();
    let lines: Vec<Line> = all
        .iter()
        .map(|((database, slot), values)| Line {
            name: database.clone(),
            full: format!("{database} (slot {slot})"),
            values: values.clone(),
        })
        .collect();
    let svg = draw(&times, &lines, "Bytes that green is behind, by slot")?;
    let start = first.at.as_millisecond();
    let seconds = |at: jiff::Timestamp| format!("{:.0} s", (at.as_millisecond() - start) as f64 / 1000.0);
    let blind = samples.iter().filter(|s| slots(&s.blue).is_none()).count();
    let mut note = format!(
        "{}, from {} on; bytes that green has not confirmed, by slot of blue.",
        count(samples.len(), "look"),
        first.at.strftime("%Y-%m-%d %H:%M:%S UTC")
    );
    if blind > 0 {
        note.push_str(&format!(" {} failed and left a gap.", count(blind, "look")));
    }
    if all.len() > DRAWN {
        note.push_str(&format!(
            " The {DRAWN} furthest behind of {} are drawn.",
            all.len()
        ));
    }
    let mut columns = vec!["Database".to_owned(), "Slot".to_owned()];
    columns.extend(samples.iter().map(|s| seconds(s.at)));
    let rows = all
        .into_iter()
        .map(|((database, slot), values)| {
            let values = values.into_iter().map(|v| v.map_or("not seen".to_owned(), bytes));
            [database, slot].into_iter().chain(values).collect()
        })
        .collect();
    Some(Lag {
        svg,
        note,
        table: Table {
            id: "lag-table",
            title: "Lag",
            columns,
            rows,
        },
    })
}

/// One line of a chart: a value for each time, none where that look did not tell.
pub(in crate::output) struct Line {
    pub(in crate::output) name: String,
    pub(in crate::output) full: String,
    pub(in crate::output) values: Vec<Option<u64>>,
}

/// Draws the first lines of `all` over `times`; none where there are not two times.
pub(in crate::output) fn draw(
    times: &[jiff::Timestamp],
    all: &[Line],
    title: &'static str,
) -> Option<String> {
    let [first, .., last] = times else {
        return None;
    };
    let most = all
        .iter()
        .flat_map(|line| &line.values)
        .flatten()
        .copied()
        .max()
        .unwrap_or(0)
        .max(1);
    let start = first.as_millisecond();
    let span = (last.as_millisecond() - start).max(1) as f64;
    let x = |at: jiff::Timestamp| 95 + ((at.as_millisecond() - start) as f64 / span * 595.0).round() as usize;
    let y = |value: u64| 215 - (value as f64 / most as f64 * 190.0).round() as usize;
    let series = all
        .iter()
        .take(DRAWN)
        .enumerate()
        .map(|(n, line)| {
            let mut path = String::new();
            let mut points = Vec::new();
            let mut pen_down = false;
            for (at, value) in times.iter().zip(&line.values) {
                if let Some(value) = value {
                    let (px, py) = (x(*at), y(*value));
                    path.push_str(&format!("{}{px} {py} ", if pen_down { 'L' } else { 'M' }));
                    points.push((px, py));
                }
                pen_down = value.is_some();
            }
            let now = line
                .values
                .last()
                .copied()
                .flatten()
                .map_or("not seen".to_owned(), bytes);
            Series {
                n,
                y: 40 + 26 * n,
                name: format!("{} {now}", clip(&line.name, 16)),
                full: format!("{}: {now}", line.full),
                path: path.trim_end().to_owned(),
                points,
            }
        })
        .collect();
    let seconds = |at: jiff::Timestamp| format!("{:.0} s", (at.as_millisecond() - start) as f64 / 1000.0);
    let chart = Chart {
        title,
        description: format!(
            "{} over {}; the most was {}",
            count(all.len(), "slot"),
            count(times.len(), "look"),
            bytes(most)
        ),
        ticks: [0, most / 2, most]
            .into_iter()
            .map(|value| (y(value), bytes(value)))
            .collect(),
        times: vec![(95, seconds(*first), "start"), (690, seconds(*last), "end")],
        series,
    };
    Some(chart.render().expect("a template over strings and numbers"))
}
