//! Pieces to a tree of actions, as `text/template` nests them.

use std::collections::BTreeMap;

use super::Problem;
use super::lex::{Piece, Word, pieces};
use crate::diagnostic::Mark;

/// How deep actions and parentheses may nest.
const MAX_DEPTH: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Template {
    pub(super) body: Vec<Node>,
    /// By `define` and `block`.
    pub(super) named: BTreeMap<String, Vec<Node>>,
}

#[derive(Debug)]
pub(super) enum Node {
    Plain(String),
    Print(Pipeline),
    If { pipeline: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    With { pipeline: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    Range { pipeline: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    Template { name: String, pipeline: Option<Pipeline>, mark: Mark },
    Break,
    Continue,
}

/// Commands joined by `|`, and the variables that take the result.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
    pub(super) mark: Mark,
}

/// Operands; the first is what is called, if it can be.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
    pub(super) mark: Mark,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) base: Base,
    /// Fields asked of the base, one after the other.
    pub(super) fields: Vec<String>,
    pub(super) mark: Mark,
}

#[derive(Debug)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Function(String),
    Text(String),
    Int(i128),
    Float(f64),
    Bool(bool),
    Nil,
    Pipeline(Box<Pipeline>),
}

pub(super) fn parse(text: &str) -> Result<Template, Problem> {
    let pieces = pieces(text)?;
    let mut parser = Parser { pieces, at: 0, depth: 0, loops: 0, named: BTreeMap::new() };
    let (body, end) = parser.block()?;
    if let Some((word, mark)) = end {
        return Err(Problem { mark, message: format!("`{{{{ {word} }}}}` closes nothing here") });
    }
    Ok(Template { body, named: parser.named })
}

struct Parser {
    pieces: Vec<Piece>,
    at: usize,
    depth: usize,
    loops: usize,
    named: BTreeMap<String, Vec<Node>>,
}

/// The word that ended a block, and its place.
type End = Option<(&'static str, Mark)>;

impl Parser {
    fn peek(&self) -> Option<&Word> {
        self.pieces.get(self.at).map(|piece| &piece.word)
    }

    fn mark(&self) -> Mark {
        let last = self.pieces.last().map_or(Mark { line: 1, column: 1 }, |piece| piece.mark);
        self.pieces.get(self.at).map_or(last, |piece| piece.mark)
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.pieces.get(self.at)?.word.clone();
        self.at += 1;
        Some(word)
    }

    fn spaces(&mut self) {
        while self.peek() == Some(&Word::Space) {
            self.at += 1;
        }
    }

    fn problem<T>(&self, message: impl Into<String>) -> Result<T, Problem> {
        Err(Problem { mark: self.mark(), message: message.into() })
    }

    fn enter(&mut self) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.problem(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        self.spaces();
        if self.peek() == Some(&Word::Close) {
            self.at += 1;
            return Ok(());
        }
        self.problem("`}}` is expected here")
    }

    /// Nodes up to the end, or to an `end` or `else`, whose name is taken.
    fn block(&mut self) -> Result<(Vec<Node>, End), Problem> {
        self.enter()?;
        let mut nodes = Vec::new();
        while let Some(word) = self.next() {
            match word {
                Word::Plain(text) => nodes.push(Node::Plain(text)),
                Word::Open => {
                    self.spaces();
                    let mark = self.mark();
                    let keyword = match self.peek() {
                        Some(Word::Name(name)) => name.clone(),
                        _ => String::new(),
                    };
                    match keyword.as_str() {
                        "end" => {
                            self.at += 1;
                            self.close()?;
                            self.depth -= 1;
                            return Ok((nodes, Some(("end", mark))));
                        }
                        "else" => {
                            self.at += 1;
                            self.depth -= 1;
                            return Ok((nodes, Some(("else", mark))));
                        }
                        keyword => nodes.extend(self.action(keyword, mark)?),
                    }
                }
                _ => return self.problem("text is expected here"),
            }
        }
        self.depth -= 1;
        Ok((nodes, None))
    }

    fn action(&mut self, keyword: &str, mark: Mark) -> Result<Option<Node>, Problem> {
        match keyword {
            "if" | "with" | "range" => {
                self.at += 1;
                self.control(keyword, mark).map(Some)
            }
            "define" | "block" => {
                self.at += 1;
                self.spaces();
                let Some(Word::Text(name)) = self.next() else {
                    return Err(Problem {
                        mark,
                        message: format!("`{keyword}` needs a name in quotes"),
                    });
                };
                let pipeline = if keyword == "block" { Some(self.pipeline()?) } else { None };
                self.close()?;
                let body = self.body(keyword, mark)?.0;
                self.named.insert(name.clone(), body);
                Ok(pipeline.map(|pipeline| Node::Template { name, pipeline: Some(pipeline), mark }))
            }
            "template" => {
                self.at += 1;
                self.spaces();
                let Some(Word::Text(name)) = self.next() else {
                    return Err(Problem {
                        mark,
                        message: "`template` needs a name in quotes".to_owned(),
                    });
                };
                self.spaces();
                let given = self.peek() != Some(&Word::Close);
                let pipeline = if given { Some(self.pipeline()?) } else { None };
                self.close()?;
                Ok(Some(Node::Template { name, pipeline, mark }))
            }
            "break" | "continue" => {
                self.at += 1;
                self.close()?;
                if self.loops == 0 {
                    return Err(Problem {
                        mark,
                        message: format!("`{keyword}` stands outside of `range`"),
                    });
                }
                Ok(Some(if keyword == "break" { Node::Break } else { Node::Continue }))
            }
            _ => {
                let pipeline = self.pipeline()?;
                self.close()?;
                Ok(Some(Node::Print(pipeline)))
            }
        }
    }

    /// A block that must be ended, by `end` or by an `else` where that may be.
    fn body(&mut self, keyword: &str, mark: Mark) -> Result<(Vec<Node>, &'static str), Problem> {
        let alternative = matches!(keyword, "if" | "with" | "range");
        match self.block()? {
            (nodes, Some((end, _))) if end == "end" || alternative => Ok((nodes, end)),
            _ => Err(Problem {
                mark,
                message: format!("`{keyword}` is not closed with `{{{{ end }}}}`"),
            }),
        }
    }

    fn control(&mut self, keyword: &str, mark: Mark) -> Result<Node, Problem> {
        let pipeline = self.pipeline()?;
        self.close()?;
        self.loops += usize::from(keyword == "range");
        let (then, end) = self.body(keyword, mark)?;
        self.loops -= usize::from(keyword == "range");
        let mut otherwise = Vec::new();
        if end == "else" {
            self.spaces();
            let next = match self.peek() {
                Some(Word::Name(name)) => name.clone(),
                _ => String::new(),
            };
            if next == keyword && keyword != "range" {
                self.at += 1;
                self.enter()?;
                otherwise.push(self.control(keyword, mark)?);
                self.depth -= 1;
            } else {
                self.close()?;
                let (nodes, end) = self.body(keyword, mark)?;
                if end == "else" {
                    return Err(Problem { mark, message: format!("`{keyword}` has two `else`") });
                }
                otherwise = nodes;
            }
        }
        Ok(match keyword {
            "if" => Node::If { pipeline, then, otherwise },
            "with" => Node::With { pipeline, then, otherwise },
            _ => Node::Range { pipeline, then, otherwise },
        })
    }

    fn pipeline(&mut self) -> Result<Pipeline, Problem> {
        self.enter()?;
        self.spaces();
        let mark = self.mark();
        let (variables, assigns) = self.declarations();
        let mut commands = Vec::new();
        loop {
            commands.push(self.command()?);
            if self.peek() != Some(&Word::Pipe) {
                break;
            }
            self.at += 1;
        }
        self.depth -= 1;
        Ok(Pipeline { variables, assigns, commands, mark })
    }

    /// `$a :=`, `$a, $b :=` or `$a =`, if they stand here.
    fn declarations(&mut self) -> (Vec<String>, bool) {
        let start = self.at;
        let mut variables = Vec::new();
        while let Some(Word::Variable(name)) = self.peek().cloned() {
            self.at += 1;
            variables.push(name);
            self.spaces();
            match self.peek() {
                Some(Word::Comma) => {
                    self.at += 1;
                    self.spaces();
                }
                Some(Word::Declare) => {
                    self.at += 1;
                    return (variables, false);
                }
                Some(Word::Assign) => {
                    self.at += 1;
                    return (variables, true);
                }
                _ => break,
            }
        }
        self.at = start;
        (Vec::new(), false)
    }

    fn command(&mut self) -> Result<Command, Problem> {
        self.spaces();
        let mark = self.mark();
        let mut operands = Vec::new();
        loop {
            self.spaces();
            match self.peek() {
                None | Some(Word::Close | Word::CloseParen | Word::Pipe) => break,
                _ => operands.push(self.operand()?),
            }
        }
        if operands.is_empty() {
            return self.problem("a value is missing here");
        }
        Ok(Command { operands, mark })
    }

    fn operand(&mut self) -> Result<Operand, Problem> {
        let mark = self.mark();
        let mut fields = Vec::new();
        let base = match self.next() {
            Some(Word::Field(name)) => {
                fields.extend(Some(name).filter(|name| !name.is_empty()));
                Base::Dot
            }
            Some(Word::Variable(name)) => Base::Variable(name),
            Some(Word::Text(text)) => Base::Text(text),
            Some(Word::Int(number)) => Base::Int(number),
            Some(Word::Float(number)) => Base::Float(number),
            Some(Word::Name(name)) => match name.as_str() {
                "true" => Base::Bool(true),
                "false" => Base::Bool(false),
                "nil" => Base::Nil,
                _ => Base::Function(name),
            },
            Some(Word::OpenParen) => {
                let inner = self.pipeline()?;
                self.spaces();
                if self.next() != Some(Word::CloseParen) {
                    return Err(Problem {
                        mark,
                        message: "this parenthesis is not closed".to_owned(),
                    });
                }
                Base::Pipeline(Box::new(inner))
            }
            _ => {
                self.at = self.at.saturating_sub(1);
                return self.problem("a value is expected here");
            }
        };
        while let Some(Word::Field(name)) = self.peek().cloned() {
            if name.is_empty() {
                return self.problem("a field name is missing after the dot");
            }
            self.at += 1;
            fields.push(name);
        }
        Ok(Operand { base, fields, mark })
    }
}
