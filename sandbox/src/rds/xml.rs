//! The XML of the AWS Query protocol: a tree of elements that handlers build and the router renders.
//!
//! The protocol has no attributes besides the namespace and no mixed content, so a tree of names, texts and
//! children is all there is. Lists are a wrapper element with one member element an item; the member's name is the
//! model's `locationName` (`DBClusters` holds `DBCluster`) and `member` where the model names none.
//! Source: <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::fmt::{Display, Write as _};

use quick_xml::escape::escape;

/// One element.
#[derive(Debug, Clone)]
pub(crate) struct Xml {
    name: String,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Text(String),
    Children(Vec<Xml>),
}

impl Xml {
    /// An element without children yet.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            content: Content::Children(Vec::new()),
        }
    }

    /// An element that holds only text.
    pub(crate) fn leaf(name: impl Into<String>, text: impl Display) -> Self {
        Self {
            name: name.into(),
            content: Content::Text(text.to_string()),
        }
    }

    /// Adds a child element.
    pub(crate) fn child(mut self, child: Xml) -> Self {
        match &mut self.content {
            Content::Children(children) => children.push(child),
            Content::Text(text) => unreachable!("<{}> holds the text {text:?}", self.name),
        }
        self
    }

    /// Adds a child that holds text.
    pub(crate) fn text(self, name: &'static str, text: impl Display) -> Self {
        self.child(Xml::leaf(name, text))
    }

    /// Adds a child that holds text, if there is one: the protocol leaves absent members out.
    pub(crate) fn maybe(self, name: &'static str, text: Option<impl Display>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// Adds a list: `name` around the items.
    pub(crate) fn list(self, name: &'static str, items: impl IntoIterator<Item = Xml>) -> Self {
        let wrapper = Self {
            name: name.to_owned(),
            content: Content::Children(items.into_iter().collect()),
        };
        self.child(wrapper)
    }

    /// Adds a list of plain texts, each in an element called `member`.
    pub(crate) fn texts<T: Display>(
        self,
        name: &'static str,
        member: &'static str,
        items: impl IntoIterator<Item = T>,
    ) -> Self {
        self.list(name, items.into_iter().map(|item| Xml::leaf(member, item)))
    }

    /// The same element under another name, for shapes that appear in several places.
    pub(crate) fn named(self, name: &'static str) -> Self {
        self.renamed(name.to_owned())
    }

    /// The same element under a name made at run time.
    pub(crate) fn renamed(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// The whole document; `namespace` goes on the root.
    pub(crate) fn document(&self, namespace: &str) -> String {
        let mut out = String::with_capacity(1024);
        self.write(&mut out, Some(namespace));
        out
    }

    fn write(&self, out: &mut String, namespace: Option<&str>) {
        match namespace {
            Some(namespace) => write!(out, "<{} xmlns=\"{namespace}\">", self.name),
            None => write!(out, "<{}>", self.name),
        }
        .expect("writing to a string cannot fail");
        match &self.content {
            // A control character would make the document unreadable for every parser; RDS never sends one.
            Content::Text(text) => {
                let clean: String = text
                    .chars()
                    .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
                    .collect();
                out.push_str(&escape(clean.as_str()));
            }
            Content::Children(children) => children.iter().for_each(|child| child.write(out, None)),
        }
        write!(out, "</{}>", self.name).expect("writing to a string cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::Xml;

    #[test]
    fn texts_are_escaped_and_lists_wrapped() {
        let xml = Xml::new("Result")
            .text("Name", "a<b&\u{7}c")
            .maybe("Absent", None::<&str>)
            .texts("Keys", "member", ["x", "y"]);
        assert_eq!(
            xml.document("urn:n"),
            "<Result xmlns=\"urn:n\"><Name>a&lt;b&amp;c</Name><Keys><member>x</member><member>y</member></Keys></Result>"
        );
    }
}
