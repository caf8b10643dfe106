//! A change record as GitHub-flavoured Markdown, for a ticket. Everything that came from outside is escaped.

use std::fmt::Write as _;

use super::Doc;
use super::sections::{Block, Cell, Table};
use crate::output::markdown::{code, escape};
use crate::output::text::one_line;

pub(super) fn render(doc: &Doc) -> String {
    let mut out = format!(
        "# {} {}: {}\n\n{}",
        doc.sign,
        doc.title,
        escape(&one_line(&doc.name)),
        escape(&one_line(&doc.text))
    );
    if let Some(exit) = doc.exit {
        let _ = write!(out, " (exit code {exit})");
    }
    out.push('\n');
    for section in &doc.sections {
        let _ = writeln!(out, "\n## {}", section.title);
        for block in &section.blocks {
            match block {
                Block::Text(text) => {
                    let _ = writeln!(out, "\n{}", escape(&one_line(text)));
                }
                Block::Facts(facts) => {
                    out.push_str("\n| | |\n| --- | --- |\n");
                    for (label, value) in facts {
                        let _ = writeln!(out, "| {} | {} |", escape(label), cell(value));
                    }
                }
                Block::Table(t) => table(&mut out, t),
                Block::Chart(_) => {}
            }
        }
    }
    let _ = writeln!(
        out,
        "\n<sub>greenlight {}, from the journal with head {}</sub>",
        env!("CARGO_PKG_VERSION"),
        code(&doc.head)
    );
    out
}

fn table(out: &mut String, table: &Table) {
    if table.rows.is_empty() {
        return;
    }
    if table.folded {
        let _ = writeln!(out, "\n<details><summary>{}</summary>", escape(&table.about));
    } else {
        let _ = writeln!(out, "\n**{}**", escape(&table.about));
    }
    let columns: Vec<String> = table.columns.iter().map(|c| escape(c)).collect();
    let _ = writeln!(
        out,
        "\n| {} |\n|{}",
        columns.join(" | "),
        " --- |".repeat(columns.len())
    );
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if table.folded {
        out.push_str("\n</details>\n");
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => escape(text),
        Cell::Code(text) if text.is_empty() => String::new(),
        Cell::Code(text) => code(text),
    }
}
