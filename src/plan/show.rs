//! The plan as text, as JSON (format version 1: fields are only added) and as a shell script to read and run by hand.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use anstyle::Style as Ansi;

use super::{Carried, Estimate, Groups, Plan, Setting, Step};
use crate::{
    model::shell::quote,
    output::{Style, text::wrap},
};

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
    /// For each of them the nearest that can be ordered; empty where they were not asked for.
    class_choices: &'a BTreeMap<String, Vec<String>>,
    support: &'a [String],
    reboots: &'a [String],
    durations: &'a [Estimate],
    paid_twice: &'a [Estimate],
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
        class_choices: &plan.class_choices,
        support: &plan.support,
        reboots: &plan.reboots,
        durations: &plan.durations,
        paid_twice: &plan.twice,
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
    let bold = |text: &str| match style.color {
        true => {
            let bold = Ansi::new().bold();
            format!("{}{text}{}", bold.render(), bold.render_reset())
        }
        false => text.to_owned(),
    };
    let heading = |out: &mut String, title: &str| {
        let _ = writeln!(out, "\n{}", bold(title));
    };
    let line = |out: &mut String, text: &str, indent: usize| {
        let pad = " ".repeat(indent);
        let _ = writeln!(out, "{pad}{}", wrap(text, style.width, indent));
    };
    let _ = writeln!(out, "{}  {} ({})", bold("PLAN"), plan.subject, plan.engine);
    line(
        &mut out,
        &format!("{}, {} replication", way(plan), plan.replication),
        6,
    );
    for support in &plan.support {
        line(&mut out, support, 6);
    }
    if !plan.classes_gone.is_empty() {
        heading(&mut out, "INSTANCE CLASSES");
    }
    for class in &plan.classes_gone {
        let choices = plan
            .class_choices
            .get(class)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let nearest = match choices {
            [] => "no class of its kind can; change it before, or choose another kind".to_owned(),
            all => format!("the nearest that can: {}", all.join(", ")),
        };
        line(
            &mut out,
            &format!("✗ {class} cannot be ordered on {}: {nearest}", plan.target()),
            2,
        );
    }
    let groups = &plan.groups;
    let made = if groups.make { ", to be made" } else { "" };
    let kept = groups.source == groups.target;
    let which = match kept {
        true => format!("green keeps {} ({})", groups.source, groups.family),
        false => format!("{} → {} ({}{made})", groups.source, groups.target, groups.family),
    };
    heading(&mut out, "PARAMETERS");
    line(&mut out, &which, 2);
    for need in &groups.needed {
        let text = format!("✗ blue needs {} = {}: {}", need.parameter, need.value, need.why);
        line(&mut out, &text, 2);
    }
    // In one and the same group everything is there already.
    let told = |value: &&Setting| !(kept && value.carried == Carried::There);
    for value in groups.values.iter().filter(told) {
        let (mark, becomes) = match &value.carried {
            Carried::Set => ('+', "is set in green's group".to_owned()),
            Carried::There => ('✓', "green's group has it".to_owned()),
            Carried::Differs { there } => ('!', format!("green's group has {there}")),
            Carried::Gone => ('-', "the new family has no such parameter".to_owned()),
            Carried::Unknown => ('?', "is set in green's group, if its family has it".to_owned()),
        };
        line(
            &mut out,
            &format!("{mark} {} = {}: {becomes}", value.name, value.value),
            2,
        );
        if let Some(why) = &value.changed {
            line(&mut out, why, 4);
        }
    }
    if groups.values.is_empty() && !kept {
        line(
            &mut out,
            "nothing is set in blue's group that had to be carried over",
            2,
        );
    }
    heading(&mut out, "STEPS");
    for (n, step) in plan.steps.iter().enumerate() {
        let number = format!("{:>2}. ", n + 1);
        let _ = writeln!(out, " {number}{}", wrap(&step.title, style.width, 5));
        line(&mut out, &step.why, 5);
        match &step.tool {
            Some(tool) => {
                let _ = writeln!(out, "       {}", bold(tool));
                if style.verbose {
                    let _ = writeln!(out, "     or by hand");
                }
            }
            None => {
                for command in &step.commands {
                    let _ = writeln!(out, "       {command}");
                }
            }
        }
        if step.tool.is_some() && style.verbose {
            for command in &step.commands {
                let _ = writeln!(out, "       {command}");
            }
        }
    }
    if !style.verbose {
        line(
            &mut out,
            "-v shows the AWS CLI commands of each step; --format cli gives them as a script",
            5,
        );
    }
    for (title, estimates) in [("HOW LONG", &plan.durations), ("WHAT IS PAID TWICE", &plan.twice)] {
        heading(&mut out, title);
        for estimate in estimates {
            line(&mut out, &format!("{}: {}", estimate.what, estimate.estimate), 2);
            line(&mut out, &format!("based on: {}", estimate.based_on), 4);
        }
    }
    if !plan.notes.is_empty() {
        heading(&mut out, "NOTES");
        for note in &plan.notes {
            line(&mut out, note, 2);
        }
    }
    out
}

/// The commands as a shell script: the whole way, with greenlight's own command beside each step.
pub fn cli(plan: &Plan) -> String {
    // A name of a saved facts file must not end the comment.
    let line = |text: &str| text.replace(|c: char| c.is_control(), " ");
    let mut out = format!(
        "#!/bin/sh\n# {}: {}\n# Read it, and run it step by step. greenlight does a step that names its command guarded: it checks first, \
         sends one\n# request, and can be taken up where it ended.\nset -eu\n",
        line(&plan.subject),
        way(plan)
    );
    let region = quote(&plan.region);
    let _ = writeln!(out, "export AWS_REGION={region} AWS_DEFAULT_REGION={region}");
    if let Some(url) = &plan.endpoint {
        let _ = writeln!(out, "export AWS_ENDPOINT_URL_RDS={}", quote(url));
    }
    for (n, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(out, "\n# {}. {}\n#    {}", n + 1, line(&step.title), step.why);
        if let Some(tool) = &step.tool {
            let _ = writeln!(out, "#    with greenlight: {}", line(tool));
        }
        for command in &step.commands {
            let _ = writeln!(out, "{command}");
        }
    }
    out
}
