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
    let mut page = Page {
        plan,
        style,
        out: String::new(),
    };
    page.head();
    page.classes();
    page.parameters();
    page.steps();
    for (title, estimates) in [("HOW LONG", &plan.durations), ("WHAT IS PAID TWICE", &plan.twice)] {
        page.estimates(title, estimates);
    }
    page.notes();
    page.out
}

/// The text as it grows, a section after the other.
struct Page<'a> {
    plan: &'a Plan,
    style: Style,
    out: String,
}

impl Page<'_> {
    fn bold(&self, text: &str) -> String {
        if self.style.color {
            let bold = Ansi::new().bold();
            format!("{}{text}{}", bold.render(), bold.render_reset())
        } else {
            text.to_owned()
        }
    }

    fn heading(&mut self, title: &str) {
        let _ = writeln!(self.out, "\n{}", self.bold(title));
    }

    /// A paragraph, wrapped to the terminal.
    fn line(&mut self, text: &str, indent: usize) {
        let pad = " ".repeat(indent);
        let _ = writeln!(self.out, "{pad}{}", wrap(text, self.style.width, indent));
    }

    /// A command stays in one line, for copying.
    fn command(&mut self, command: &str) {
        let _ = writeln!(self.out, "       {command}");
    }

    fn head(&mut self) {
        let plan = self.plan;
        let _ = writeln!(
            self.out,
            "{}  {} ({})",
            self.bold("PLAN"),
            plan.subject,
            plan.engine
        );
        self.line(&format!("{}, {} replication", way(plan), plan.replication), 6);
        for support in &plan.support {
            self.line(support, 6);
        }
    }

    fn classes(&mut self) {
        let plan = self.plan;
        if plan.classes_gone.is_empty() {
            return;
        }
        self.heading("INSTANCE CLASSES");
        for class in &plan.classes_gone {
            let nearest = match plan.class_choices.get(class).map(Vec::as_slice) {
                None | Some([]) => {
                    "no class of its kind can; change it before, or choose another kind".to_owned()
                }
                Some(all) => format!("the nearest that can: {}", all.join(", ")),
            };
            self.line(
                &format!("✗ {class} cannot be ordered on {}: {nearest}", plan.target()),
                2,
            );
        }
    }

    fn parameters(&mut self) {
        let groups = &self.plan.groups;
        let made = if groups.make { ", to be made" } else { "" };
        let kept = groups.source == groups.target;
        let which = match kept {
            true => format!("green keeps {} ({})", groups.source, groups.family),
            false => format!("{} → {} ({}{made})", groups.source, groups.target, groups.family),
        };
        self.heading("PARAMETERS");
        self.line(&which, 2);
        for need in &groups.needed {
            let text = format!("✗ blue needs {} = {}: {}", need.parameter, need.value, need.why);
            self.line(&text, 2);
        }
        // In one and the same group everything is there already.
        let told = |value: &&Setting| !(kept && value.carried == Carried::There);
        for value in groups.values.iter().filter(told) {
            let (mark, becomes) = fate(&value.carried);
            self.line(&format!("{mark} {} = {}: {becomes}", value.name, value.value), 2);
            if let Some(why) = &value.changed {
                self.line(why, 4);
            }
        }
        if groups.values.is_empty() && !kept {
            self.line("nothing is set in blue's group that had to be carried over", 2);
        }
    }

    /// Each step with greenlight's own command for it, where it has one; the AWS CLI's too with `-v`.
    fn steps(&mut self) {
        self.heading("STEPS");
        let (width, verbose) = (self.style.width, self.style.verbose);
        for (n, step) in self.plan.steps.iter().enumerate() {
            let number = format!("{:>2}. ", n + 1);
            let _ = writeln!(self.out, " {number}{}", wrap(&step.title, width, 5));
            self.line(&step.why, 5);
            if let Some(tool) = &step.tool {
                self.command(&self.bold(tool));
                if verbose {
                    self.line("or by hand", 5);
                }
            }
            if step.tool.is_none() || verbose {
                for command in &step.commands {
                    self.command(command);
                }
            }
        }
        if !verbose {
            self.line(
                "-v shows the AWS CLI commands of each step; --format cli gives them as a script",
                5,
            );
        }
    }

    fn estimates(&mut self, title: &str, estimates: &[Estimate]) {
        self.heading(title);
        for estimate in estimates {
            self.line(&format!("{}: {}", estimate.what, estimate.estimate), 2);
            self.line(&format!("based on: {}", estimate.based_on), 4);
        }
    }

    fn notes(&mut self) {
        if self.plan.notes.is_empty() {
            return;
        }
        self.heading("NOTES");
        for note in &self.plan.notes {
            self.line(note, 2);
        }
    }
}

/// What becomes of a value of blue's group, and its mark.
fn fate(carried: &Carried) -> (char, String) {
    match carried {
        Carried::Set => ('+', "is set in green's group".to_owned()),
        Carried::There => ('✓', "green's group has it".to_owned()),
        Carried::Differs { there } => ('!', format!("green's group has {there}")),
        Carried::Gone => ('-', "the new family has no such parameter".to_owned()),
        Carried::Unknown => ('?', "is set in green's group, if its family has it".to_owned()),
    }
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
