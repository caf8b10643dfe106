//! A change record as one self-contained page: nothing is loaded and nothing runs, so it opens from a ticket or an archive.
//! Every text is escaped by the template; the page's own policy (CSP) lets in but its one style, named by its hash.

use askama::Template;

use super::Doc;
use super::sections::{Block, Cell, Section};
use crate::output::html::{STYLE, hash, lag};
use crate::output::text::one_line;
use crate::switchover::remark::Behind;

#[derive(Template)]
#[template(path = "change.html")]
struct Page {
    title: &'static str,
    class: &'static str,
    name: String,
    text: String,
    chips: Vec<(&'static str, String)>,
    first: &'static str,
    sections: Vec<Part>,
    version: &'static str,
    head: String,
    style: &'static str,
    style_hash: String,
}

struct Part {
    id: &'static str,
    title: String,
    blocks: Vec<Piece>,
}

enum Piece {
    Text(String),
    Facts(Vec<(String, Value)>),
    Table {
        id: String,
        about: String,
        columns: Vec<&'static str>,
        rows: Vec<Vec<Value>>,
        folded: bool,
    },
    Chart {
        svg: String,
        note: String,
    },
}

struct Value {
    text: String,
    code: bool,
}

pub(super) fn render(doc: Doc) -> String {
    let page = Page {
        title: doc.title,
        class: doc.class,
        name: one_line(&doc.name),
        text: one_line(&doc.text),
        chips: doc.chips,
        first: doc.sections.first().map_or("journal", |section| section.id),
        sections: doc.sections.into_iter().map(part).collect(),
        version: env!("CARGO_PKG_VERSION"),
        head: doc.head,
        style: STYLE,
        style_hash: hash(STYLE),
    };
    let mut text = page.render().expect("a template over strings and numbers");
    text.push('\n');
    text
}

fn part(section: Section) -> Part {
    let id = section.id;
    let blocks = section.blocks.into_iter().enumerate();
    Part {
        id,
        title: section.title,
        blocks: blocks.filter_map(|(n, block)| piece(id, n, block)).collect(),
    }
}

fn piece(section: &str, n: usize, block: Block) -> Option<Piece> {
    Some(match block {
        Block::Text(text) => Piece::Text(one_line(&text)),
        Block::Facts(facts) => Piece::Facts(
            facts
                .into_iter()
                .map(|(label, cell)| (label, value(cell)))
                .collect(),
        ),
        Block::Table(table) if table.rows.is_empty() => return None,
        Block::Table(table) => Piece::Table {
            id: format!("{section}-{n}"),
            about: table.about,
            columns: table.columns,
            rows: table
                .rows
                .into_iter()
                .map(|row| row.into_iter().map(value).collect())
                .collect(),
            folded: table.folded,
        },
        Block::Chart(looks) => chart(&looks)?,
    })
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Text(text) => Value { text, code: false },
        Cell::Code(text) => Value { text, code: true },
    }
}

fn chart(looks: &[Behind]) -> Option<Piece> {
    let times: Vec<_> = looks.iter().map(|l| l.at).collect();
    let values = looks.iter().map(|l| l.bytes).collect();
    let line = lag::Line {
        name: "worst database".into(),
        full: "the database that was furthest behind at each look".into(),
        values,
    };
    let svg = lag::draw(&times, &[line], "Bytes that green was behind while settling")?;
    Some(Piece::Chart {
        svg,
        note: "Bytes that green had not confirmed, of the database that was furthest behind at each look; a look that could \
               not tell leaves a gap."
            .into(),
    })
}
