//! Comparing the contents of tables, blue against green, while blue is written to.
//!
//! Rows are compared by checksum, in chunks along the key, so that each statement is short, little travels, and memory is bounded. Two
//! sides that are read at different moments differ by what is on the way, so a difference counts only if it stays: blue is read, green is
//! waited for until it has applied all that blue had written by then, green is read, and blue is read again. Where blue was the same both
//! times and green is another, time after time, the row is different. A row that blue changes at every look is *unsettled*, which is
//! no pass.

mod plan;
mod sides;

use std::time::{Duration, Instant};

use super::{
    connect::{ConnectSpec, connect},
    deadline,
    postgres::reason,
};
use crate::{
    facts::{
        DatabaseFacts, DbName, Fact, ServerFacts, Why,
        contents::{Compared, Contents, Difference, EXAMPLES, How, TableContents},
    },
    model::Lsn,
};
use plan::{Shape, Table};
use sides::{Keys, Pair, Range, Sums};

/// Rows of one chunk.
const CHUNK: u64 = 10_000;
/// Rows that may differ before a table counts as hopeless.
const HOPELESS: usize = 1_000;
/// Looks at what differs, at most.
const ROUNDS: usize = 8;
/// Looks that must agree on a difference.
const STRIKES: u8 = 3;
/// The longest wait for green to apply what blue has written.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at how far green is, and between two rounds.
const POLL: Duration = Duration::from_millis(100);

/// What to compare, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Names of tables, with `*` for any characters: `orders`, `sales.*`, `app/public.orders`.
    pub patterns: Vec<String>,
    /// Rows a second, at most; 0 for no limit.
    pub rate: u64,
}

/// Told what is being compared, now and then.
pub type Told<'a> = dyn Fn(&str) + Sync + 'a;

/// Compares the tables of all databases that both sides have. Whatever goes wrong becomes an unknown fact.
pub async fn compare(
    blue: &ConnectSpec,
    green: &ConnectSpec,
    server: &ServerFacts,
    wish: &Wish,
    told: &Told<'_>,
) -> Contents {
    let mut contents = Contents {
        patterns: wish.patterns.clone(),
        unmatched: wish.patterns.clone(),
        ..Contents::default()
    };
    let mut pace = Pace::new(wish.rate);
    for (database, facts) in &server.databases {
        let compared = match facts {
            DatabaseFacts::Known(_) => {
                one_database(
                    blue,
                    green,
                    database,
                    wish,
                    &mut contents.unmatched,
                    &mut pace,
                    told,
                )
                .await
            }
            Fact::Unknown { why, detail } => Fact::unknown(*why, detail.clone()),
        };
        // A database without a table of these names is none of the question.
        if !matches!(&compared, Fact::Known(tables) if tables.is_empty()) {
            contents.databases.insert(database.clone(), compared);
        }
    }
    contents
}

async fn one_database(
    blue: &ConnectSpec,
    green: &ConnectSpec,
    database: &DbName,
    wish: &Wish,
    unmatched: &mut Vec<String>,
    pace: &mut Pace,
    told: &Told<'_>,
) -> Fact<Vec<TableContents>> {
    let (blue, green) = (blue.for_database(database), green.for_database(database));
    let blue_session = match connect(&blue).await {
        Ok(session) => session,
        Err(e) => return e.fact(),
    };
    let tables = match plan::tables(&blue_session).await {
        Ok(tables) => tables,
        Err(trouble) => return trouble.fact(),
    };
    let named = |pattern: &str, table: &Table| table.is_named(database, pattern);
    unmatched.retain(|pattern| !tables.iter().any(|table| named(pattern, table)));
    let chosen: Vec<&Table> = tables
        .iter()
        .filter(|table| wish.patterns.iter().any(|pattern| named(pattern, table)))
        .collect();
    if chosen.is_empty() {
        return Fact::Known(Vec::new());
    }
    let green_session = match connect(&green).await {
        Ok(session) => session,
        Err(e) => return e.fact(),
    };
    let pair = Pair::new(blue_session, green_session);
    if let Err(e) = pair.prepare().await {
        return reason(&e);
    }
    let mut out = Vec::with_capacity(chosen.len());
    for (number, table) in chosen.iter().enumerate() {
        told(&format!(
            "comparing {database}: {} ({} of {})",
            table.name,
            number + 1,
            chosen.len()
        ));
        let compared = match deadline::bound(one_table(&pair, table, pace, told)).await {
            Ok(Ok(compared)) => Fact::Known(compared),
            Ok(Err(trouble)) => trouble.fact(),
            Err(passed) => Fact::unknown(Why::Timeout, passed.to_string()),
        };
        out.push(TableContents {
            table: table.name.clone(),
            compared,
        });
    }
    Fact::Known(out)
}

/// Why a table could not be compared.
enum Trouble {
    Stop(Why, String),
    Sql(tokio_postgres::Error),
}

impl Trouble {
    fn fact<T>(self) -> Fact<T> {
        match self {
            Self::Stop(why, detail) => Fact::unknown(why, detail),
            Self::Sql(error) => reason(&error),
        }
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

async fn one_table(
    pair: &Pair,
    table: &Table,
    pace: &mut Pace,
    told: &Told<'_>,
) -> Result<Compared, Trouble> {
    if let Some((why, detail)) = table.obstacle(&pair.blue.user) {
        return Err(Trouble::Stop(why, detail));
    }
    let on_green = plan::tables(&pair.green).await?;
    let Some(on_green) = on_green.iter().find(|t| t.name == table.name) else {
        return Err(Trouble::Stop(Why::Error, "green has no such table".to_owned()));
    };
    if let Some((why, detail)) = on_green.obstacle(&pair.green.user) {
        return Err(Trouble::Stop(why, format!("on green: {detail}")));
    }
    let shape = table.shape(pair.blue_major());
    let lsn = pair.position().await?;
    reach(pair, lsn).await?;
    let mut compared = Compared {
        rows: 0,
        lsn,
        key: shape.key_names(),
        left_out: shape.left_out.clone(),
        differing: 0,
        more: false,
        unsettled: 0,
        examples: Vec::new(),
    };
    if shape.key.is_empty() {
        whole(pair, &shape, &mut compared, pace).await?;
    } else {
        by_key(pair, &shape, &mut compared, pace, told).await?;
    }
    Ok(compared)
}

/// Waits until green has applied all that blue had written up to here.
async fn reach(pair: &Pair, lsn: Lsn) -> Result<(), Trouble> {
    let begun = Instant::now();
    loop {
        let Some(applied) = pair.applied().await? else {
            let why = "green does not replicate this database from blue, so that nothing tells how far it is";
            return Err(Trouble::Stop(Why::Error, why.to_owned()));
        };
        if applied >= lsn {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            let why = format!(
                "green has applied {applied} after {} s, not yet {lsn}",
                PATIENCE.as_secs()
            );
            return Err(Trouble::Stop(Why::Timeout, why));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A table without a key: one checksum for each side.
async fn whole(pair: &Pair, shape: &Shape, compared: &mut Compared, pace: &mut Pace) -> Result<(), Trouble> {
    let all = Range::default();
    let mut strikes = 0;
    for _ in 0..ROUNDS {
        let before = pair.blue_sums(shape, &all).await?;
        compared.rows = before.rows;
        reach(pair, pair.position().await?).await?;
        let green = pair.green_sums(shape, &all).await?;
        let after = pair.blue_sums(shape, &all).await?;
        pace.rest(before.rows + after.rows).await;
        if green == before || green == after {
            return Ok(());
        }
        if before == after {
            strikes += 1;
            if strikes == STRIKES {
                // Which rows, and how many, cannot be told without a key.
                compared.differing = before.rows.abs_diff(green.rows).max(1);
                compared.more = true;
                return Ok(());
            }
        }
        tokio::time::sleep(POLL).await;
    }
    compared.unsettled = compared.rows.max(1);
    Ok(())
}

/// A table with a key: chunk by chunk, and where two differ, row by row.
async fn by_key(
    pair: &Pair,
    shape: &Shape,
    compared: &mut Compared,
    pace: &mut Pace,
    told: &Told<'_>,
) -> Result<(), Trouble> {
    let mut range = Range::default();
    let mut said = Instant::now();
    loop {
        range.to = pair.boundary(shape, range.after.as_deref(), CHUNK).await?;
        let (blue, green) = tokio::join!(pair.blue_sums(shape, &range), pair.green_sums(shape, &range));
        let (blue, green): (Sums, Sums) = (blue?, green?);
        compared.rows += blue.rows;
        if blue != green {
            let room = HOPELESS.saturating_sub(usize::try_from(compared.differing).unwrap_or(HOPELESS));
            let suspects = pair.suspects(shape, &range, CHUNK * 4).await?;
            compared.more |= suspects.len() > room;
            settle(pair, shape, suspects.into_iter().take(room).collect(), compared).await?;
        }
        if compared.more {
            return Ok(());
        }
        pace.rest(blue.rows).await;
        if said.elapsed() > Duration::from_secs(1) {
            said = Instant::now();
            told(&format!("comparing {}: {} rows", shape.table, compared.rows));
        }
        match range.to.take() {
            Some(last) => range.after = Some(last),
            None => return Ok(()),
        }
    }
}

/// Looks at the rows that differ until they agree or stay different.
async fn settle(pair: &Pair, shape: &Shape, suspects: Keys, compared: &mut Compared) -> Result<(), Trouble> {
    let mut open: Vec<(Vec<String>, u8)> = suspects.into_iter().map(|key| (key, 0)).collect();
    for _ in 0..ROUNDS {
        if open.is_empty() {
            break;
        }
        let keys: Keys = open.iter().map(|(key, _)| key.clone()).collect();
        let before = pair.blue_rows(shape, &keys).await?;
        reach(pair, pair.position().await?).await?;
        let green = pair.green_rows(shape, &keys).await?;
        let after = pair.blue_rows(shape, &keys).await?;
        open.retain_mut(|(key, strikes)| {
            let (before, there, after) = (before.get(key), green.get(key), after.get(key));
            if there == before || there == after {
                return false;
            }
            if before != after {
                return true;
            }
            *strikes += 1;
            if *strikes < STRIKES {
                return true;
            }
            compared.differing += 1;
            if compared.examples.len() < EXAMPLES {
                compared.examples.push(Difference {
                    key: key.clone(),
                    how: match (before, there) {
                        (Some(_), None) => How::Missing,
                        (None, Some(_)) => How::Extra,
                        _ => How::Changed,
                    },
                });
            }
            false
        });
        tokio::time::sleep(POLL).await;
    }
    compared.unsettled += open.len() as u64;
    Ok(())
}

/// Keeps to a number of rows a second.
struct Pace {
    rate: u64,
    begun: Instant,
    rows: u64,
}

impl Pace {
    fn new(rate: u64) -> Self {
        Self {
            rate,
            begun: Instant::now(),
            rows: 0,
        }
    }

    /// Waits until so many more rows are within the rate.
    async fn rest(&mut self, rows: u64) {
        self.rows += rows;
        if self.rate > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a pause needs no more precision")]
            let due = Duration::from_secs_f64(self.rows as f64 / self.rate as f64);
            tokio::time::sleep(due.saturating_sub(self.begun.elapsed())).await;
        }
    }
}
