//! A preparation for people, for programs (format version 1: fields are only added), and as a shell script.

use std::fmt::Write as _;

use serde::Serialize;

use super::{GroupWork, Preparation, Turn, commands};
use crate::{
    facts::rds::RdsFacts,
    model::shell::quote,
    output::{
        Style,
        text::{count, wrap},
    },
};

/// For programs.
pub fn json(preparation: &Preparation, rds: &RdsFacts) -> String {
    #[derive(Serialize)]
    struct Json<'a> {
        schema: u32,
        greenlight: &'static str,
        done: bool,
        #[serde(flatten)]
        preparation: &'a Preparation,
        commands: Vec<String>,
    }
    let json = Json {
        schema: 1,
        greenlight: env!("CARGO_PKG_VERSION"),
        done: preparation.is_done(),
        preparation,
        commands: commands(preparation).iter().map(|a| a.cli(rds)).collect(),
    };
    let mut text = serde_json::to_string_pretty(&json).expect("plain data has a JSON form");
    text.push('\n');
    text
}

/// As a shell script: the groups, then each reboot with its wait.
pub fn cli(preparation: &Preparation, rds: &RdsFacts) -> String {
    let mut out = format!(
        "#!/bin/sh\n# What {} needs before a blue/green deployment. Read it, and run it step by step.\nset -eu\n",
        preparation.subject.replace(char::is_control, " ")
    );
    for action in commands(preparation) {
        let _ = writeln!(out, "{}", action.cli(rds));
    }
    for turn in &preparation.reboots {
        let (action, waits) = of_turn(turn);
        let _ = writeln!(out, "{}", action.cli(rds));
        let _ = writeln!(
            out,
            "aws rds wait db-instance-available --db-instance-identifier {} --region {}",
            quote(&waits),
            quote(&rds.region)
        );
    }
    out
}

fn of_turn(turn: &Turn) -> (super::Action, String) {
    match turn {
        Turn::Reader { id } | Turn::Writer { id, .. } => {
            (super::Action::Reboot { id: id.clone() }, id.clone())
        }
        Turn::Failover { cluster, to } => (
            super::Action::Failover {
                cluster: cluster.clone(),
                to: to.clone(),
            },
            to.clone(),
        ),
    }
}

/// For people; with the commands that do the same `by_hand`.
pub fn text(preparation: &Preparation, rds: &RdsFacts, by_hand: bool, style: Style) -> String {
    let mut out = String::new();
    let to = preparation
        .target_version
        .map(|v| format!(" -> {v}"))
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "PREPARE  {} ({}): {}{to}",
        preparation.subject, preparation.engine, preparation.source
    );
    let what = headline(preparation);
    let _ = writeln!(out, "  {}", wrap(&what, style.width, 2));

    let _ = writeln!(out, "\nBLUE'S PARAMETERS");
    if preparation.blue.is_empty() {
        let enough = match preparation.unknown.is_empty() {
            true => "has what a deployment needs",
            false => "lacks nothing that could be seen",
        };
        let _ = writeln!(out, "  {} {enough}", preparation.group);
    }
    for work in &preparation.blue {
        group(&mut out, work, style);
    }
    for unknown in &preparation.unknown {
        let _ = writeln!(
            out,
            "  {}",
            wrap(&format!("not known: {unknown}"), style.width, 2)
        );
    }
    if let Some(target) = &preparation.target {
        let _ = writeln!(out, "\nGREEN'S PARAMETERS");
        if target.work.is_done() {
            let _ = writeln!(out, "  {} ({}) is ready", target.work.name, target.work.family);
        } else {
            group(&mut out, &target.work, style);
        }
        if target.there > 0 {
            let there = count(target.there, "value");
            let _ = writeln!(
                out,
                "  {there} of blue's {} there already",
                if target.there == 1 { "is" } else { "are" }
            );
        }
        for (name, blue, theirs) in &target.kept {
            let line = format!("{name} stays {theirs}, which somebody set there (blue has {blue})");
            let _ = writeln!(out, "  {}", wrap(&line, style.width, 2));
        }
        for name in &target.gone {
            let line = format!(
                "{name} is set on blue; {} has no such parameter",
                target.work.family
            );
            let _ = writeln!(out, "  {}", wrap(&line, style.width, 2));
        }
        for (_, why) in &target.left_out {
            let _ = writeln!(out, "  {}", wrap(why, style.width, 2));
        }
    }
    if !preparation.reboots.is_empty() {
        let _ = writeln!(out, "\nREBOOTS, one by one");
        for (n, turn) in preparation.reboots.iter().enumerate() {
            let line = match turn {
                Turn::Reader { id } => format!("{id}, a reader: its own connections are cut"),
                Turn::Failover { to, .. } => {
                    format!("failover to {to}: all connections are cut, no writes for some seconds")
                }
                Turn::Writer { id, outage: false } => format!("{id}, the writer until then"),
                Turn::Writer { id, outage: true } => {
                    format!("{id}, the writer: an outage until it is back, shorter with little going on")
                }
            };
            let _ = writeln!(out, "  {}. {}", n + 1, wrap(&line, style.width, 5));
        }
    }
    let actions = commands(preparation);
    if by_hand && !actions.is_empty() {
        let _ = writeln!(out, "\nBY HAND");
        for action in actions {
            let _ = writeln!(out, "  {}", action.cli(rds));
        }
    }
    if !preparation.notes.is_empty() {
        let _ = writeln!(out, "\nNOTES");
        for note in &preparation.notes {
            let _ = writeln!(out, "  {}", wrap(note, style.width, 2));
        }
    }
    out
}

/// What is left, in one sentence.
pub(super) fn headline(preparation: &Preparation) -> String {
    let target = preparation
        .target
        .as_ref()
        .map(|t| &t.work)
        .filter(|w| !w.is_done());
    let groups = preparation.blue.iter().chain(target);
    let (mut make, mut change) = (0, 0);
    for work in groups {
        if work.make {
            make += 1;
        } else {
            change += 1;
        }
    }
    let mut parts = Vec::new();
    if make > 0 {
        parts.push(format!("make {}", count(make, "parameter group")));
    }
    if change > 0 {
        parts.push(format!("change {}", count(change, "parameter group")));
    }
    let reboots = preparation
        .reboots
        .iter()
        .filter(|t| !matches!(t, Turn::Failover { .. }))
        .count();
    if reboots > 0 {
        parts.push(format!("reboot {}", count(reboots, "instance")));
    }
    match (parts.is_empty(), preparation.unknown.is_empty()) {
        (true, true) => "DONE: nothing is left to do".to_owned(),
        (true, false) => "NOT DETERMINED: something could not be looked at".to_owned(),
        (false, _) => format!("TO DO: {}", parts.join(", ")),
    }
}

fn group(out: &mut String, work: &GroupWork, style: Style) {
    let verb = if work.make { ", to be made" } else { "" };
    let _ = writeln!(out, "  {} ({}){verb}", work.name, work.family);
    let same = match work.values.as_slice() {
        [first, .., last] if work.values.iter().all(|v| v.why == first.why) => Some(last.why.clone()),
        _ => None,
    };
    let longest = work.values.iter().map(|v| v.name.len()).max().unwrap_or(0);
    let change = |v: &super::Value| match &v.from {
        Some(from) => format!("{from} -> {}", v.to),
        None => format!("-> {}", v.to),
    };
    for value in &work.values {
        let _ = writeln!(out, "    {:longest$}  {}", value.name, change(value));
        if same.is_none() {
            let _ = writeln!(out, "      {}", wrap(&value.why, style.width, 6));
        }
    }
    if let Some(why) = same {
        let _ = writeln!(out, "    {}", wrap(&why, style.width, 4));
    }
    for attach in &work.attach {
        let line = format!("{} gets it instead of {}", attach.id, attach.instead_of);
        let _ = writeln!(out, "    {}", wrap(&line, style.width, 4));
    }
}
