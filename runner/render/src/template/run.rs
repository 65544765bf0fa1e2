//! Runs a parsed template. Steps, output and depth are bounded: a template is
//! a file somebody wrote.

use super::item::Item;
use super::parse::{Base, Command, Node, Operand, Pipeline, Template};
use super::{Functions, Problem, functions, print};
use crate::diagnostic::Mark;

/// The most actions a template may take.
const MAX_STEPS: usize = 1_000_000;
/// The most bytes a template may make, in all of its values.
pub(super) const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How deep templates may call templates.
const MAX_CALLS: usize = 50;

pub(super) fn run(
    template: &Template,
    data: &Item<'_>,
    functions: Functions,
) -> Result<String, Problem> {
    let variables = vec![(String::new(), data.clone())];
    let mut runner =
        Runner { template, functions, out: String::new(), variables, steps: 0, made: 0, calls: 0 };
    runner.nodes(&template.body, data)?;
    Ok(runner.out)
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Runner<'t, 'd> {
    template: &'t Template,
    functions: Functions,
    out: String,
    /// Innermost last; the empty name is `$`.
    variables: Vec<(String, Item<'d>)>,
    steps: usize,
    made: usize,
    calls: usize,
}

impl<'d> Runner<'_, 'd> {
    fn step(&mut self, mark: Mark) -> Result<(), Problem> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Problem {
                mark,
                message: format!("the template takes more than {MAX_STEPS} steps"),
            });
        }
        Ok(())
    }

    fn write(&mut self, text: &str, mark: Mark) -> Result<(), Problem> {
        if self.out.len() + text.len() > MAX_BYTES {
            return Err(Problem {
                mark,
                message: format!("the template makes more than {MAX_BYTES} bytes"),
            });
        }
        self.out += text;
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Item<'d>) -> Result<Flow, Problem> {
        let scope = self.variables.len();
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                self.variables.truncate(scope);
                return Ok(flow);
            }
        }
        self.variables.truncate(scope);
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Item<'d>) -> Result<Flow, Problem> {
        self.step(Mark::default())?;
        match node {
            Node::Plain(text) => self.write(text, Mark::default())?,
            Node::Print(pipeline) => {
                let item = self.pipeline(pipeline, dot)?;
                self.declare(pipeline, &item);
                if pipeline.variables.is_empty() {
                    let text = print::print(&item)
                        .map_err(|message| Problem { mark: pipeline.mark, message })?;
                    self.write(&text, pipeline.mark)?;
                }
            }
            Node::If { pipeline, then, otherwise } | Node::With { pipeline, then, otherwise } => {
                let scope = self.variables.len();
                let item = self.pipeline(pipeline, dot)?;
                self.declare(pipeline, &item);
                let with = matches!(node, Node::With { .. });
                let flow = if item.is_true() {
                    self.nodes(then, if with { &item } else { dot })
                } else {
                    self.nodes(otherwise, dot)
                };
                self.variables.truncate(scope);
                return flow;
            }
            Node::Range { pipeline, then, otherwise } => {
                return self.range(pipeline, then, otherwise, dot);
            }
            Node::Template { name, pipeline, mark } => {
                let item = match pipeline {
                    Some(pipeline) => self.pipeline(pipeline, dot)?,
                    None => Item::Nil,
                };
                self.call(name, &item, *mark)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn call(&mut self, name: &str, item: &Item<'d>, mark: Mark) -> Result<(), Problem> {
        let template = self.template;
        let Some(nodes) = template.named.get(name) else {
            return Err(Problem { mark, message: format!("no template `{name}` is defined") });
        };
        self.calls += 1;
        if self.calls > MAX_CALLS {
            return Err(Problem {
                mark,
                message: format!("templates call one another deeper than {MAX_CALLS} levels"),
            });
        }
        let outer = std::mem::replace(&mut self.variables, vec![(String::new(), item.clone())]);
        self.nodes(nodes, item)?;
        self.variables = outer;
        self.calls -= 1;
        Ok(())
    }

    fn range(
        &mut self,
        pipeline: &Pipeline,
        then: &[Node],
        otherwise: &[Node],
        dot: &Item<'d>,
    ) -> Result<Flow, Problem> {
        let item = self.pipeline(pipeline, dot)?;
        let refused = |message: String| Problem { mark: pipeline.mark, message };
        let turns: Vec<(Item<'d>, Item<'d>)> = match &item {
            Item::Nil => Vec::new(),
            Item::List(items) => {
                let at = |at: usize| Item::Int(at as i128);
                items.iter().enumerate().map(|(n, item)| (at(n), item.clone())).collect()
            }
            Item::Map(map) => {
                map.iter().map(|(key, item)| (Item::text(key), item.clone())).collect()
            }
            Item::Int(count @ 0..=1_000_000) => {
                (0..*count).map(|n| (Item::Int(n), Item::Int(n))).collect()
            }
            Item::Int(count) if *count < 0 => Vec::new(),
            other => return Err(refused(format!("`range` cannot go over {}", other.kind()))),
        };
        if turns.is_empty() {
            return self.nodes(otherwise, dot);
        }
        let scope = self.variables.len();
        for (key, item) in turns {
            match &pipeline.variables[..] {
                [] => {}
                [one] if pipeline.assigns => self.assign(one, &item),
                [one] => self.variables.push((one.clone(), item.clone())),
                [one, two, ..] if pipeline.assigns => {
                    self.assign(one, &key);
                    self.assign(two, &item);
                }
                [one, two, ..] => {
                    self.variables.push((one.clone(), key));
                    self.variables.push((two.clone(), item.clone()));
                }
            }
            let flow = self.nodes(then, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn declare(&mut self, pipeline: &Pipeline, item: &Item<'d>) {
        for name in &pipeline.variables {
            if pipeline.assigns {
                self.assign(name, item);
            } else {
                self.variables.push((name.clone(), item.clone()));
            }
        }
    }

    fn assign(&mut self, name: &str, item: &Item<'d>) {
        if let Some((_, slot)) = self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            *slot = item.clone();
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Item<'d>) -> Result<Item<'d>, Problem> {
        if pipeline.assigns
            && let Some(name) = pipeline.variables.iter().find(|name| !self.knows(name))
        {
            let message = format!("the variable `${name}` is not declared");
            return Err(Problem { mark: pipeline.mark, message });
        }
        let mut result = None;
        for command in &pipeline.commands {
            result = Some(self.command(command, dot, result)?);
        }
        Ok(result.unwrap_or(Item::Nil))
    }

    fn knows(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| known == name)
    }

    fn command(
        &mut self,
        command: &Command,
        dot: &Item<'d>,
        piped: Option<Item<'d>>,
    ) -> Result<Item<'d>, Problem> {
        self.step(command.mark)?;
        let Some((first, rest)) = command.operands.split_first() else { return Ok(Item::Nil) };
        let Base::Function(name) = &first.base else {
            if !rest.is_empty() || piped.is_some() {
                let message =
                    "this is no function, it takes no arguments; methods are not called here";
                return Err(Problem { mark: first.mark, message: message.to_owned() });
            }
            return self.operand(first, dot);
        };
        // The first argument that decides is the last one looked at.
        if matches!(name.as_str(), "and" | "or") {
            let mut last = None;
            for operand in rest {
                let item = self.operand(operand, dot)?;
                let decided = item.is_true() == (name == "or");
                last = Some(item);
                if decided {
                    return Ok(last.unwrap_or(Item::Nil));
                }
            }
            return piped.or(last).ok_or_else(|| Problem {
                mark: first.mark,
                message: format!("`{name}` needs an argument"),
            });
        }
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            arguments.push(self.operand(operand, dot)?);
        }
        arguments.extend(piped);
        self.function(name, &arguments, first.mark)
            .and_then(|item| fields(item, &first.fields, first.mark))
    }

    fn function(
        &mut self,
        name: &str,
        arguments: &[Item<'d>],
        mark: Mark,
    ) -> Result<Item<'d>, Problem> {
        let item = functions::call(name, arguments, self.functions)
            .map_err(|message| Problem { mark, message })?;
        self.made += functions::size(&item);
        if self.made > MAX_BYTES {
            return Err(Problem {
                mark,
                message: format!("the template makes more than {MAX_BYTES} bytes of values"),
            });
        }
        Ok(item)
    }

    fn operand(&mut self, operand: &Operand, dot: &Item<'d>) -> Result<Item<'d>, Problem> {
        let mark = operand.mark;
        let base = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let Some((_, item)) = found else {
                    let message = format!("the variable `${name}` is not declared");
                    return Err(Problem { mark, message });
                };
                item.clone()
            }
            Base::Function(name) => self.function(name, &[], mark)?,
            Base::Text(text) => Item::text(text),
            Base::Int(number) => Item::Int(*number),
            Base::Float(number) => Item::Float(*number),
            Base::Bool(flag) => Item::Bool(*flag),
            Base::Nil => Item::Nil,
            Base::Pipeline(pipeline) => self.pipeline(pipeline, dot)?,
        };
        fields(base, &operand.fields, mark)
    }
}

fn fields<'d>(base: Item<'d>, names: &[String], mark: Mark) -> Result<Item<'d>, Problem> {
    names
        .iter()
        .try_fold(base, |item, name| item.member(name).map_err(|message| Problem { mark, message }))
}
