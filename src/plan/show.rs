//! The plan as text, as JSON (format version 1: fields are only added) and as a shell script to read and run by hand.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Carried, Groups, Plan, Step};
use crate::output::{Style, text::wrap};

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    greenlight: &'static str,
    subject: &'a str,
    engine: String,
    source_version: String,
    target_version: String,
    hops: Vec<JsonHop>,
    replication: String,
    parameter_groups: &'a Groups,
    classes_not_orderable: &'a [String],
    support: &'a [String],
    steps: &'a [Step],
    notes: &'a [String],
}

#[derive(Serialize)]
struct JsonHop {
    from: String,
    to: String,
    /// `blue-green` or `in-place`.
    by: &'static str,
}

/// The plan for programs.
pub fn json(plan: &Plan) -> String {
    let hop = |hop: &super::Hop| JsonHop {
        from: hop.from.to_string(),
        to: hop.to.to_string(),
        by: if hop.blue_green { "blue-green" } else { "in-place" },
    };
    let json = Json {
        schema: 1,
        greenlight: env!("CARGO_PKG_VERSION"),
        subject: &plan.subject,
        engine: plan.engine.to_string(),
        source_version: plan.source.to_string(),
        target_version: plan.target().to_string(),
        hops: plan.hops.iter().map(hop).collect(),
        replication: plan.replication.to_string(),
        parameter_groups: &plan.groups,
        classes_not_orderable: &plan.classes_gone,
        support: &plan.support,
        steps: &plan.steps,
        notes: &plan.notes,
    };
    let mut text = serde_json::to_string_pretty(&json).expect("texts and lists are JSON");
    text.push('\n');
    text
}

fn way(plan: &Plan) -> String {
    let mut text = plan.source.to_string();
    for hop in &plan.hops {
        let by = if hop.blue_green { "blue/green" } else { "in place" };
        let _ = write!(text, " -> {} ({by})", hop.to);
    }
    text
}

/// The plan for people.
pub fn text(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "PLAN  {} ({}): {}", plan.subject, plan.engine, way(plan));
    for class in &plan.classes_gone {
        let line = format!(
            "{class} cannot be ordered on {}: choose another class for green",
            plan.target()
        );
        let _ = writeln!(out, "\n  {}", wrap(&line, style.width, 2));
    }
    let groups = &plan.groups;
    let _ = writeln!(
        out,
        "\nPARAMETERS  {} -> {} ({})",
        groups.source, groups.target, groups.family
    );
    for value in &groups.values {
        let becomes = match &value.carried {
            Carried::Set => "set it in green's group".to_owned(),
            Carried::There => "green's group has it".to_owned(),
            Carried::Differs { there } => format!("green's group has {there}"),
            Carried::Gone => "the new family has no such parameter".to_owned(),
            Carried::Unknown => "not known whether the new family has it".to_owned(),
        };
        let line = format!("{} = {}: {becomes}", value.name, value.value);
        let _ = writeln!(out, "  {}", wrap(&line, style.width, 2));
    }
    for (name, value, why) in &groups.needed {
        let _ = writeln!(
            out,
            "  {}",
            wrap(&format!("blue needs {name} = {value}: {why}"), style.width, 2)
        );
    }
    let _ = writeln!(out, "\nSTEPS");
    for (n, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(out, "  {}. {}", n + 1, wrap(&step.title, style.width, 5));
        let _ = writeln!(out, "     {}", wrap(&step.why, style.width, 5));
        for command in &step.commands {
            let _ = writeln!(out, "       {command}");
        }
    }
    if !plan.support.is_empty() || !plan.notes.is_empty() {
        let _ = writeln!(out, "\nNOTES");
        for note in plan.support.iter().chain(&plan.notes) {
            let _ = writeln!(out, "  {}", wrap(note, style.width, 2));
        }
    }
    out
}

/// The commands as a shell script.
pub fn cli(plan: &Plan) -> String {
    // A name of a saved facts file must not end the comment.
    let line = |text: &str| text.replace(|c: char| c.is_control(), " ");
    let mut out = format!(
        "#!/bin/sh\n# {}: {}\n# Read it, and run it step by step.\nset -eu\n",
        line(&plan.subject),
        way(plan)
    );
    for (n, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(out, "\n# {}. {}\n#    {}", n + 1, line(&step.title), step.why);
        for command in &step.commands {
            let _ = writeln!(out, "{command}");
        }
    }
    out
}
