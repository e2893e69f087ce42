//! Free volume of the months of a bill (特困, domain.md 9.1): at most what the bill used, however its usage periods are cut.

use money::Volume;

use crate::{
    RatingError, Rule, Segment,
    bill::VOLUME,
    explain::{Token, Trace},
    plan::Free,
};

/// What a bill grants and gives.
#[derive(Default)]
pub(crate) struct Grants {
    unspent: Vec<Unspent>,
    given: Vec<Given>,
}

/// A grant that the use so far did not take up.
struct Unspent {
    volume: Volume,
    origin: Origin,
}

/// Where the explanation has an unspent volume from.
enum Origin {
    /// The months of a usage period, numbered from 1, that no step tells yet.
    Months { number: usize, per_month: Volume, months: i64 },
    /// What a line, numbered from 1, did not give of what it might.
    Line(usize),
}

/// What a usage period got, by a line; both are numbered from 1.
struct Given {
    number: usize,
    line: usize,
    volume: Volume,
}

impl Grants {
    /// What a period gets of its own grant and of those before it; the line is the one that will tell it.
    pub(crate) fn give(&mut self, trace: &mut Trace, (number, line): (usize, usize), segment: &Segment<'_>, free: Free) -> Result<Volume, RatingError> {
        let (per_month, months) = (free.per_month, i64::from(segment.free_months));
        let granted = per_month.checked_mul(months)?;
        let alone = self.unspent.is_empty();
        if !granted.is_zero() {
            self.unspent.push(Unspent {
                volume: granted,
                origin: Origin::Months { number, per_month, months },
            });
        }
        let allowed = self.left()?;
        let given = allowed.min(segment.usage.volume);
        if given.is_zero() {
            return Ok(given);
        }
        if alone {
            let inputs = [Token::Volume(per_month), Token::Count(months)];
            trace.step(Token::Of('f', line, ""), Rule::Mul, &inputs, Token::Volume(granted));
            self.unspent.clear();
        } else {
            self.tell(trace, line, allowed);
        }
        let inputs = [Token::Of('f', line, ""), Token::Of('s', number, VOLUME)];
        trace.step(Token::Of('q', line, ""), Rule::Min, &inputs, Token::Volume(given));
        self.keep((number, line), allowed, given)
    }

    /// What a period gets besides of what the later ones left.
    pub(crate) fn give_back(&mut self, trace: &mut Trace, (number, line): (usize, usize), used: Volume) -> Result<Volume, RatingError> {
        let before = self.given.iter().find(|given| given.number == number);
        let before = before.map(|given| (given.line, given.volume));
        let room = used.checked_sub(before.map_or(Volume::ZERO, |(_, volume)| volume))?;
        let allowed = self.left()?;
        let given = allowed.min(room);
        if given.is_zero() {
            return Ok(given);
        }
        self.tell(trace, line, allowed);
        let mut of = Token::Of('s', number, VOLUME);
        if let Some((earlier, _)) = before {
            let inputs = [of, Token::Of('q', earlier, "")];
            of = Token::Of('f', line, "room");
            trace.step(of, Rule::Sub, &inputs, Token::Volume(room));
        }
        let inputs = [Token::Of('f', line, ""), of];
        trace.step(Token::Of('q', line, ""), Rule::Min, &inputs, Token::Volume(given));
        self.keep((number, line), allowed, given)
    }

    fn left(&self) -> Result<Volume, RatingError> {
        Ok(Volume::sum(self.unspent.iter().map(|unspent| unspent.volume))?)
    }

    /// Tells all that is unspent as what a line may give.
    fn tell(&mut self, trace: &mut Trace, line: usize, allowed: Volume) {
        let mut names = Vec::with_capacity(self.unspent.len());
        for Unspent { volume, origin } in self.unspent.drain(..) {
            let (name, rule, inputs) = match origin {
                Origin::Months { number, per_month, months } => {
                    let inputs = [Token::Volume(per_month), Token::Count(months)];
                    (Token::Of('s', number, "free"), Rule::Mul, inputs)
                }
                Origin::Line(line) => {
                    let inputs = [Token::Of('f', line, ""), Token::Of('q', line, "")];
                    (Token::Of('f', line, "left"), Rule::Sub, inputs)
                }
            };
            trace.step(name, rule, &inputs, Token::Volume(volume));
            names.push(name);
        }
        trace.step(Token::Of('f', line, ""), Rule::Add, &names, Token::Volume(allowed));
    }

    fn keep(&mut self, (number, line): (usize, usize), allowed: Volume, given: Volume) -> Result<Volume, RatingError> {
        let left = allowed.checked_sub(given)?;
        if !left.is_zero() {
            self.unspent.push(Unspent {
                volume: left,
                origin: Origin::Line(line),
            });
        }
        self.given.push(Given { number, line, volume: given });
        Ok(given)
    }
}
