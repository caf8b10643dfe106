//! Blue and green as a picture: members, versions, databases, and the slots between them with their lag.

use askama::Template;
use serde_json::Value;

use super::Table;
use crate::{
    facts::{Fact, Rows, ServerFacts, rds::Topology},
    model::{DeploymentStatus, Replication, Side},
    output::{
        View,
        text::{bytes, clip, count, one_line},
    },
};

/// Members of a side and slots between the sides that are drawn; the tables have all.
const DRAWN: usize = 8;

#[derive(Template)]
#[template(path = "topology.html")]
struct Picture {
    height: usize,
    description: String,
    sides: Vec<Box>,
    arrows: Vec<Arrow>,
}

struct Box {
    class: &'static str,
    title: &'static str,
    x: usize,
    height: usize,
    lines: Vec<Line>,
    members: Vec<Member>,
}

struct Line {
    class: &'static str,
    y: usize,
    text: String,
    full: String,
}

struct Member {
    y: usize,
    name: String,
    full: String,
    class: &'static str,
    what: String,
}

struct Arrow {
    y: usize,
    name: String,
    full: String,
    class: &'static str,
    what: String,
}

/// One of blue's slots as the probe `lag` saw it.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) database: String,
    pub(super) active: Option<bool>,
    pub(super) lag_bytes: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
}

/// The slots of one look; none where it failed.
pub(super) fn slots(rows: &Fact<Rows>) -> Option<Vec<Slot>> {
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).map(one_line);
    let rows = rows.known()?;
    let slot = |row: &Value| Slot {
        name: text(row, "slot").unwrap_or_default(),
        database: text(row, "database").unwrap_or_default(),
        active: row.get("active").and_then(Value::as_bool),
        // A slot ahead of what was read a moment before is not behind at all.
        lag_bytes: row
            .get("lag_bytes")
            .and_then(Value::as_i64)
            .map(|n| u64::try_from(n).unwrap_or(0)),
        lag_seconds: row.get("replay_lag_seconds").and_then(Value::as_f64),
    };
    Some(rows.rows.iter().map(|row| slot(&row.value())).collect())
}

/// The slots as they were last seen.
fn last_slots(view: View<'_>) -> Vec<Slot> {
    let sampled = view.facts.lag.iter().rev().find_map(|sample| slots(&sample.blue));
    let probed = || {
        view.facts
            .blue
            .known()
            .and_then(|s| s.probes.get("lag"))
            .and_then(slots)
    };
    sampled.or_else(probed).unwrap_or_default()
}

fn topology(view: View<'_>, side: Side) -> Option<&Topology> {
    let rds = view.facts.rds.known()?;
    match side {
        Side::Blue => rds.blue.known(),
        Side::Green => rds.green.known()?.as_ref(),
        Side::Rds => None,
    }
}

fn completed(view: View<'_>) -> bool {
    let rds = view.facts.rds.known();
    let deployment = rds.and_then(|r| r.deployment.known()).and_then(Option::as_ref);
    deployment.is_some_and(|d| d.status == DeploymentStatus::SwitchoverCompleted)
}

/// The picture.
pub(super) fn picture(view: View<'_>) -> String {
    let done = completed(view);
    let blue_title = if done {
        "Blue: former production"
    } else {
        "Blue: production"
    };
    let green_title = if done {
        "Green: production now"
    } else {
        "Green: staging"
    };
    let mut sides = vec![side_box(view, Side::Blue, blue_title, 10)];
    sides.push(
        if view.facts.green.is_some() || topology(view, Side::Green).is_some() {
            side_box(view, Side::Green, green_title, 620)
        } else {
            Box {
                class: "none",
                title: "Green: not there yet",
                x: 620,
                height: 60,
                lines: Vec::new(),
                members: Vec::new(),
            }
        },
    );
    let arrows = arrows(view, done);
    let reach = arrows.last().map_or(0, |arrow| arrow.y + 40);
    let tallest = sides.iter().map(|s| s.height).max().unwrap_or(0).max(reach);
    for side in sides.iter_mut().filter(|s| s.class != "none") {
        side.height = tallest;
    }
    let picture = Picture {
        height: tallest + 20,
        description: description(view),
        sides,
        arrows,
    };
    picture.render().expect("a template over strings and numbers")
}

/// The picture in words.
fn description(view: View<'_>) -> String {
    let one = |side: Side| {
        let version = view
            .facts
            .server(side)
            .and_then(Fact::known)
            .map(|s| s.version.to_string());
        let name = topology(view, side).map(|t| t.id().to_owned());
        let name = name.or_else(|| {
            view.facts
                .server(side)
                .and_then(Fact::known)
                .map(|s| s.endpoint.clone())
        });
        let members = topology(view, side).map_or(String::new(), |t| {
            format!(" with {}", count(t.instances.len(), "member"))
        });
        match (name, version) {
            (None, None) => format!("{side} was not seen"),
            (name, version) => format!(
                "{side} is {}{} {members}",
                one_line(&name.unwrap_or_default()),
                version.map_or(String::new(), |v| format!(", PostgreSQL {v}"))
            ),
        }
    };
    let slots = last_slots(view);
    let green = if view.facts.green.is_some() {
        one(Side::Green)
    } else {
        "there is no green yet".to_owned()
    };
    format!(
        "{}; {green}; {} between them",
        one(Side::Blue),
        count(slots.len(), "replication slot")
    )
}

fn side_box(view: View<'_>, side: Side, title: &'static str, x: usize) -> Box {
    let server = view.facts.server(side);
    let rds = topology(view, side);
    let mut lines = Vec::new();
    let mut y = 34;
    let mut push = |class: &'static str, text: String| {
        y += 20;
        let text = one_line(&text);
        let most = if class == "mono" { 41 } else { 44 };
        lines.push(Line {
            class,
            y,
            text: clip(&text, most),
            full: text,
        });
    };
    if let Some(rds) = rds {
        push("strong", rds.id().to_owned());
        let status = rds.cluster.as_ref().map(|c| c.status.as_str());
        let status = status.or_else(|| rds.instances.first().map(|i| i.status.as_str()));
        let version = rds.engine_version().map_or(String::new(), |v| v.to_string());
        push(
            "",
            format!(
                "{} {version}, {}",
                view.report.situation.engine,
                status.unwrap_or_default()
            ),
        );
    }
    match server.map(Fact::get) {
        Some(Ok(server)) => {
            push("mono", server.endpoint.clone());
            if rds.is_none() {
                push("", format!("PostgreSQL {}", server.version));
            }
            push("", databases(server));
        }
        Some(Err((why, detail))) => push("bad-text", format!("not seen: {why}: {detail}")),
        None => {}
    }
    let mut members = Vec::new();
    y += 14;
    if let Some(rds) = rds {
        let writer = rds.writer().map(|w| w.id.as_str());
        for instance in rds.instances.iter().take(DRAWN) {
            let role = match (writer == Some(&instance.id), rds.cluster.is_some()) {
                (true, _) => "writer",
                (false, true) => "reader",
                (false, false) => "replica",
            };
            members.push(Member {
                y,
                name: clip(&one_line(&instance.id), 36),
                full: one_line(&instance.id),
                class: if instance.status == "available" {
                    "small"
                } else {
                    "bad-text"
                },
                what: one_line(&format!("{role}, {}, {}", instance.class, instance.status)),
            });
            y += 48;
        }
        if rds.instances.len() > DRAWN {
            let text = format!("and {} more", rds.instances.len() - DRAWN);
            lines.push(Line {
                class: "small",
                y: y + 10,
                full: text.clone(),
                text,
            });
            y += 20;
        }
    }
    Box {
        class: if side == Side::Blue { "blue" } else { "green" },
        title,
        x,
        height: y + 4,
        lines,
        members,
    }
}

fn databases(server: &ServerFacts) -> String {
    let unseen = server.databases.values().filter(|d| d.known().is_none()).count();
    let total = count(server.databases.len(), "database");
    if unseen == 0 {
        total
    } else {
        format!("{total}, {unseen} not seen")
    }
}

fn arrows(view: View<'_>, done: bool) -> Vec<Arrow> {
    if view.facts.green.is_none() || done {
        return Vec::new();
    }
    let slots = last_slots(view);
    if slots.is_empty() {
        let name = match view.report.situation.replication {
            Some(Replication::Physical) => "physical replication",
            Some(Replication::Logical) => "logical replication",
            None => "no replication seen",
        };
        return vec![Arrow {
            y: 70,
            name: name.to_owned(),
            full: name.to_owned(),
            class: "small",
            what: String::new(),
        }];
    }
    let total = slots.len();
    let mut arrows: Vec<Arrow> = Vec::new();
    for (n, slot) in slots.iter().take(DRAWN).enumerate() {
        let lag = match slot.lag_bytes {
            Some(lag) => format!("{} behind", bytes(lag)),
            None => "lag not seen".to_owned(),
        };
        let (class, state) = match slot.active {
            Some(true) => ("small", ""),
            Some(false) => ("bad-text", ", inactive"),
            None => ("bad-text", ", state not seen"),
        };
        arrows.push(Arrow {
            y: 56 + 52 * n,
            name: clip(&slot.database, 32),
            full: format!("slot {} for database {}", slot.name, slot.database),
            class,
            what: format!("{lag}{state}"),
        });
    }
    if total > DRAWN
        && let Some(last) = arrows.last_mut()
    {
        last.what = format!("{}; and {} more", last.what, count(total - DRAWN, "slot"));
    }
    arrows
}

/// Everything in the picture, and what did not fit, as tables.
pub(super) fn tables(view: View<'_>) -> Vec<Table> {
    let mut members = Vec::new();
    let mut databases = Vec::new();
    for side in [Side::Blue, Side::Green] {
        if let Some(rds) = topology(view, side) {
            let writer = rds.writer().map(|w| w.id.as_str());
            for i in &rds.instances {
                let role = if writer == Some(&i.id) { "writer" } else { "reader" };
                let groups: Vec<String> = i
                    .parameter_groups
                    .iter()
                    .map(|g| format!("{} ({})", g.name, g.status))
                    .collect();
                members.push(vec![
                    side.to_string(),
                    i.id.clone(),
                    role.to_owned(),
                    i.class.clone(),
                    i.engine_version.clone(),
                    i.status.clone(),
                    groups.join(", "),
                ]);
            }
        }
        if let Some(server) = view.facts.server(side).and_then(Fact::known) {
            for (name, facts) in &server.databases {
                let state = match facts.get() {
                    Ok(_) => "inspected".to_owned(),
                    Err((why, detail)) => format!("not seen: {why}: {detail}"),
                };
                databases.push(vec![side.to_string(), name.clone(), state]);
            }
        }
    }
    let slots = last_slots(view)
        .into_iter()
        .map(|slot| {
            vec![
                slot.name,
                slot.database,
                match slot.active {
                    Some(true) => "active",
                    Some(false) => "inactive",
                    None => "unknown",
                }
                .to_owned(),
                slot.lag_bytes.map_or("unknown".to_owned(), bytes),
                slot.lag_seconds
                    .map_or("unknown".to_owned(), |s| format!("{s:.1} s")),
            ]
        })
        .collect();
    let table = |id, title, columns: &[&'static str], rows: Vec<Vec<String>>| Table {
        id,
        title,
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        rows: rows
            .into_iter()
            .map(|row| row.iter().map(|cell| one_line(cell)).collect())
            .collect(),
    };
    let tables = vec![
        table(
            "members",
            "Members",
            &[
                "Side",
                "Member",
                "Role",
                "Class",
                "Version",
                "Status",
                "Parameter groups",
            ],
            members,
        ),
        table(
            "databases",
            "Databases",
            &["Side", "Database", "State"],
            databases,
        ),
        table(
            "slots",
            "Replication slots on blue",
            &["Slot", "Database", "State", "Behind", "Behind in time"],
            slots,
        ),
    ];
    tables.into_iter().filter(|t| !t.rows.is_empty()).collect()
}
