//! Parses a filter into a tree whose fields and literals are checked.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use tidewatch_projections::decimal::Decimal;

use super::{COMPARISONS_MAX, DEPTH_MAX, FILTER_BYTES_MAX, Kind, Literal, Node, Operator};

/// Finds a field by its path, as `["attributes", "plan"]`; `None` for a field the list does not have.
pub type Resolve<'a, F> = dyn Fn(&[String]) -> Option<(F, Kind)> + 'a;

/// Why a filter was not understood, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at byte {offset}: {problem}")]
pub struct FilterError {
    /// Bytes before the place, counted from 0.
    pub offset: usize,
    /// What is wrong there and what was expected.
    pub problem: String,
}

pub(super) fn filter<F>(text: &str, resolve: &Resolve<'_, F>) -> Result<Option<Node<F>>, FilterError> {
    if text.len() > FILTER_BYTES_MAX {
        let problem = format!("the filter has {} bytes, at most {FILTER_BYTES_MAX} are read", text.len());
        return Err(FilterError { offset: FILTER_BYTES_MAX, problem });
    }
    let mut parser = Parser { text, at: 0, comparisons: 0, resolve };
    parser.skip_space();
    if parser.rest().is_empty() {
        return Ok(None);
    }
    let root = parser.filter(0)?;
    if !parser.rest().is_empty() {
        return Err(parser.error("expected AND, OR or the end"));
    }
    Ok(Some(root))
}

struct Parser<'a, F> {
    text: &'a str,
    at: usize,
    comparisons: usize,
    resolve: &'a Resolve<'a, F>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

impl<F> Parser<'_, F> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn error(&self, problem: impl Into<String>) -> FilterError {
        FilterError { offset: self.at, problem: problem.into() }
    }

    /// Takes a keyword: the word with something after it that is no part of a word.
    fn keyword(&mut self, word: &str) -> bool {
        let found = self.rest().strip_prefix(word).is_some_and(|rest| {
            !rest.starts_with(|next: char| is_name(next) || next == '.' || next == ':' || next == '=')
        });
        if found {
            self.at += word.len();
            self.skip_space();
        }
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
            self.skip_space();
        }
        found
    }

    fn filter(&mut self, depth: usize) -> Result<Node<F>, FilterError> {
        let first = self.term(depth)?;
        let mut terms = vec![first];
        let mut joint = None;
        loop {
            let before = self.at;
            let next = match (self.keyword("AND"), self.keyword("OR")) {
                (true, _) => Joint::And,
                (_, true) => Joint::Or,
                _ => break,
            };
            if *joint.get_or_insert(next) != next {
                self.at = before;
                return Err(self.error("AND and OR side by side: say with parentheses which goes first"));
            }
            terms.push(self.term(depth)?);
        }
        Ok(match joint {
            None => terms.pop().expect("the first term"),
            Some(Joint::And) => Node::All(terms),
            Some(Joint::Or) => Node::Any(terms),
        })
    }

    fn term(&mut self, depth: usize) -> Result<Node<F>, FilterError> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {DEPTH_MAX}")));
        }
        if self.keyword("NOT") || self.symbol("-") {
            return Ok(Node::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.symbol("(") {
            let inner = self.filter(depth + 1)?;
            return if self.symbol(")") { Ok(inner) } else { Err(self.error("expected AND, OR or )")) };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Node<F>, FilterError> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(self.error(format!("more than {COMPARISONS_MAX} comparisons")));
        }
        let start = self.at;
        let path = self.path()?;
        let Some((field, kind)) = (self.resolve)(&path) else {
            self.at = start;
            return Err(self.error(format!("no field {:?} here", path.join("."))));
        };
        self.skip_space();
        let operator_at = self.at;
        let operator = self.operator()?;
        self.skip_space();
        let literal = self.literal(kind, operator)?;
        self.skip_space();
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual | Operator::Has);
        if ordered && matches!(literal, Literal::Truth(_)) {
            self.at = operator_at;
            return Err(self.error("true and false have no order: use = or !="));
        }
        Ok(Node::Compare(field, operator, literal))
    }

    fn path(&mut self) -> Result<Vec<String>, FilterError> {
        let mut path = vec![self.name()?];
        while self.rest().starts_with('.') {
            self.at += 1;
            let quoted = self.rest().starts_with(['"', '\'']);
            path.push(if quoted { self.quoted()? } else { self.name()? });
        }
        Ok(path)
    }

    fn name(&mut self) -> Result<String, FilterError> {
        let length = self.rest().find(|c| !is_name(c)).unwrap_or(self.rest().len());
        if length == 0 {
            return Err(self.error("expected a field"));
        }
        let name = self.rest()[..length].to_owned();
        self.at += length;
        Ok(name)
    }

    fn operator(&mut self) -> Result<Operator, FilterError> {
        // Longer ones first: `<` begins `<=`.
        const OPERATORS: [(&str, Operator); 7] = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
            (":", Operator::Has),
        ];
        let found = OPERATORS.iter().find(|(text, _)| self.rest().starts_with(text)).copied();
        let (text, operator) = found.ok_or_else(|| self.error("expected =, !=, <, <=, >, >= or :"))?;
        self.at += text.len();
        Ok(operator)
    }

    fn literal(&mut self, kind: Kind, operator: Operator) -> Result<Literal, FilterError> {
        let start = self.at;
        let quoted = self.rest().starts_with(['"', '\'']);
        let text = if quoted { self.quoted()? } else { self.word()? };
        if text == "*" && !quoted && operator == Operator::Has {
            return Ok(Literal::Present);
        }
        let literal = match kind {
            Kind::Text => Some(Literal::Text(text.as_str().into())),
            Kind::Number => number(&text),
            Kind::Truth => truth(&text),
            Kind::Instant => instant(&text),
            Kind::Day => text.parse::<Date>().ok().map(Literal::Day),
            Kind::Any if quoted => Some(Literal::Text(text.as_str().into())),
            Kind::Any => {
                truth(&text).or_else(|| number(&text)).or_else(|| Some(Literal::Text(text.as_str().into())))
            }
        };
        literal
            .ok_or_else(|| FilterError { offset: start, problem: format!("{text:?} is no {}", kind.noun()) })
    }

    fn word(&mut self) -> Result<String, FilterError> {
        let stop =
            |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '\'' | '=' | '<' | '>' | '!' | ',');
        let length = self.rest().find(stop).unwrap_or(self.rest().len());
        if length == 0 {
            return Err(self.error("expected a value"));
        }
        let word = self.rest()[..length].to_owned();
        self.at += length;
        Ok(word)
    }

    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let (_, quote) = chars.next().expect("the caller saw the quote");
        let mut text = String::new();
        while let Some((offset, next)) = chars.next() {
            match next {
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                _ if next == quote => {
                    self.at = start + offset + quote.len_utf8();
                    return Ok(text);
                }
                _ => text.push(next),
            }
        }
        Err(self.error("the quote is never closed"))
    }
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Truth => "true or false",
            Self::Instant => "RFC 3339 instant or date",
            Self::Day => "date like 2026-03-01",
            Self::Any => "value",
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn number(text: &str) -> Option<Literal> {
    Decimal::parse(text).map(|number| Literal::Number(number, number.to_f64()))
}

fn truth(text: &str) -> Option<Literal> {
    text.parse().ok().map(Literal::Truth)
}

fn instant(text: &str) -> Option<Literal> {
    let timestamp = text.parse::<Timestamp>().ok().or_else(|| {
        let midnight = text.parse::<Date>().ok()?.to_datetime(Time::midnight());
        TimeZone::UTC.to_timestamp(midnight).ok()
    });
    timestamp.map(|timestamp| Literal::Instant(timestamp.as_microsecond()))
}
