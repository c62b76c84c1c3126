use super::cache::{Cache, micros_between};
use super::source::RecordSource;
use crate::capture::Rows;
use crate::dialect::Line;
use crate::model::{Direction, Draft, Kind, Mono, Now, Record, Report, SessionId, Wall};

#[derive(Default)]
struct Log {
    fetches: Vec<usize>,
}

fn at(micros: u64) -> Now {
    Now { wall: Wall(1_000_000 + micros as i64), mono: Mono(1 + micros) }
}

impl RecordSource for Log {
    fn rows(&self) -> Rows {
        Rows::All(1_000_000)
    }

    fn fetch(&mut self, seqs: &[u64]) -> Result<Vec<Record>, Report> {
        self.fetches.push(seqs.len());
        Ok(seqs
            .iter()
            .filter(|seq| **seq != 13)
            .map(|seq| {
                let kind = if *seq == 505 { Kind::Mark } else { Kind::Text };
                let draft = Draft::new(at(*seq * 1000), SessionId(1), kind, Direction::Received);
                Record { seq: *seq, draft: draft.reply_to(if matches!(seq, 500 | 505) { 2 } else { 0 }) }
            })
            .collect())
    }

    fn line(&self, _record: &Record) -> Line {
        Line::default()
    }
}

#[test]
fn the_cache_is_bounded_and_keeps_what_is_in_use() {
    let (mut cache, mut log) = (Cache::default(), Log::default());
    for page in 0..400_u64 {
        cache.begin(1, 1_000_000);
        let rows = page * 50 + 1..page * 50 + 51;
        cache.load(&mut log, rows.clone()).unwrap();
        rows.filter(|seq| *seq != 13).for_each(|seq| assert!(cache.get_mut(seq).is_some()));
        assert!(cache.len() <= 4096);
    }
}

#[test]
fn what_is_missing_is_read_once_and_in_one_go() {
    let (mut cache, mut log) = (Cache::default(), Log::default());
    cache.begin(1, 100);
    cache.load(&mut log, 1..101).unwrap();
    cache.load(&mut log, 1..101).unwrap();
    assert_eq!(log.fetches, [100], "a record that is not given is not asked for every frame");
    cache.begin(1, 101);
    cache.load(&mut log, 1..102).unwrap();
    assert_eq!(log.fetches, [100, 2]);
    cache.begin(2, 101);
    assert_eq!(cache.len(), 0, "another log");
}

#[test]
fn latency_finds_the_record_that_was_answered_however_far_away() {
    let (mut cache, mut log) = (Cache::default(), Log::default());
    cache.begin(1, 1000);
    cache.load(&mut log, 490..510).unwrap();
    assert_eq!(cache.get_mut(500).unwrap().latency, Some(498_000));
    assert_eq!(cache.get_mut(501).unwrap().latency, None);
    assert_eq!(cache.get_mut(505).unwrap().latency, None, "a mark answers nothing");
    assert_eq!(log.fetches, [20, 1]);
}

#[test]
fn a_clock_set_back_does_not_turn_time_around() {
    let early = Now { wall: Wall(9_000_000), mono: Mono(10) };
    let late = Now { wall: Wall(1_000_000), mono: Mono(510) };
    assert_eq!(micros_between(early, late), 500);
    assert_eq!(micros_between(late, early), -500);
    let imported = Now { wall: Wall(9_000_400), mono: Mono(0) };
    assert_eq!(micros_between(early, imported), 400);
}
