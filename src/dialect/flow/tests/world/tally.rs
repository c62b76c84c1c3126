//! What the worlds met: a schedule in which nothing happens proves nothing.

/// How often what was met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub delivered: u64,
    pub refused: u64,
    pub not_sent: u64,
    pub unconfirmed: u64,
    pub retried: u64,
    pub dead_news: u64,
    pub denied: u64,
    pub fetches: u64,
    pub reopened: u64,
    pub waits: u64,
    pub calls: u64,
    pub summaries: u64,
}

impl Tally {
    pub fn add(&mut self, t: &Self) {
        let all = [
            (&mut self.delivered, t.delivered),
            (&mut self.refused, t.refused),
            (&mut self.not_sent, t.not_sent),
            (&mut self.unconfirmed, t.unconfirmed),
            (&mut self.retried, t.retried),
            (&mut self.dead_news, t.dead_news),
            (&mut self.denied, t.denied),
            (&mut self.fetches, t.fetches),
            (&mut self.reopened, t.reopened),
            (&mut self.waits, t.waits),
            (&mut self.calls, t.calls),
            (&mut self.summaries, t.summaries),
        ];
        all.into_iter().for_each(|(mine, theirs)| *mine += theirs);
    }
}
