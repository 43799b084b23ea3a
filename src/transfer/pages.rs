//! A listing's entries one by one, read ahead of their reader: the pages of a long listing many at once.
//!
//! S3 tells a listing page by page, each from where the last one ended, so that a long one takes a request's time a page.
//! It can be begun after any key, though. Where keys are counted, those of the pages to come are foreseen (`ruler`), and
//! the listing is cut there into segments that are read at the same time and handed on in their order. The first pages
//! are read one after the other: a short listing costs no request more than it has pages.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ruler::Ruler;
use crate::aws::AwsError;

/// Pages that are read ahead of the reader: enough to hide a request's time, few enough to bound the memory.
const AHEAD: usize = 4;
/// Pages that are read one after the other before any are foreseen.
const IN_TURN: usize = 10;
/// Pages that a segment is foreseen to have; it is read to its end without its reader. More are read, but wait for him.
const OF_A_SEGMENT: usize = 4;
/// Segments under way at once, at first and at most.
const SEGMENTS_AT_FIRST: usize = 4;
const SEGMENTS: usize = 12;
/// Keys of a page that tell how its keys are counted.
const SAMPLE: usize = 16;

/// What a page gives: its entries, and from where to go on, unless it is the last one.
pub(super) type Page<T, F> = (Vec<T>, Option<F>);

/// Something that is listed in pages, in the order of the keys' UTF-8 bytes.
pub(super) trait Listing: Clone + Send + Sync + 'static {
    type Entry: Send + 'static;
    /// Where a page begins.
    type From: Send + 'static;

    /// A page; the first one from nothing.
    fn page(
        &self,
        from: Option<Self::From>,
    ) -> impl Future<Output = Result<Page<Self::Entry, Self::From>, AwsError>> + Send;
    /// Where the entries behind a key begin.
    fn after(key: &str) -> Self::From;
    fn key(entry: &Self::Entry) -> &str;
}

pub(super) struct Pages<T> {
    pages: mpsc::Receiver<Result<Vec<T>, AwsError>>,
    page: VecDeque<T>,
    /// Dropped with the reader, which ends the listing.
    _lister: JoinSet<()>,
}

impl<T: Send + 'static> Pages<T> {
    /// Begins to list.
    pub fn of(listing: impl Listing<Entry = T>) -> Self {
        let (send, pages) = mpsc::channel(AHEAD);
        let mut lister = JoinSet::new();
        lister.spawn(async move {
            let mut lister =
                Lister { listing, send, segments: VecDeque::new(), at_once: SEGMENTS_AT_FIRST, horizon: None };
            if let Err(Ended::Refused(error)) = lister.list().await {
                // Without its reader nobody wants to know.
                lister.send.send(Err(error)).await.ok();
            }
        });
        Self { pages, page: VecDeque::new(), _lister: lister }
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// AWS refused; nothing comes after that.
    pub async fn next(&mut self) -> Result<Option<T>, AwsError> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Ok(Some(entry));
            }
            match self.pages.recv().await {
                Some(page) => self.page = page?.into(),
                None => return Ok(None),
            }
        }
    }
}

/// Why a lister stops before the end of the listing.
enum Ended {
    Refused(AwsError),
    /// Its reader is gone.
    Unread,
}

/// A piece of the listing that is read by itself, up to and with the key `until`.
struct Segment<T> {
    until: String,
    pages: mpsc::Receiver<Result<Piece<T>, AwsError>>,
    /// Dropped with the segment, which ends its reading.
    _reader: JoinSet<()>,
}

/// A page of a segment.
struct Piece<T> {
    entries: Vec<T>,
    end: Option<End>,
}

/// How a segment ended.
enum End {
    /// The first key that is behind it.
    Before(String),
    /// With the whole listing.
    Listed,
}

struct Lister<L: Listing> {
    listing: L,
    send: mpsc::Sender<Result<Vec<L::Entry>, AwsError>>,
    /// Those under way, one behind the other.
    segments: VecDeque<Segment<L::Entry>>,
    /// How many may be under way: twice as many while what was foreseen is there, half as many where it is not.
    at_once: usize,
    /// Up to and with which key the segments reach.
    horizon: Option<String>,
}

impl<L: Listing> Lister<L> {
    async fn list(&mut self) -> Result<(), Ended> {
        let (mut from, mut pages) = (None, 0);
        loop {
            let (entries, next) = self.listing.page(from.take()).await.map_err(Ended::Refused)?;
            pages += 1;
            let ruler = ruler::<L>(&entries);
            self.horizon = entries.last().map(|it| L::key(it).to_owned());
            self.hand_on(entries).await?;
            let Some(next) = next else { return Ok(()) };
            from = Some(next);
            if pages < IN_TURN {
                continue;
            }
            if let Some(ruler) = ruler {
                self.foresee(&ruler, &mut from);
            }
            if self.segments.is_empty() {
                continue;
            }
            if self.read_segments().await? {
                return Ok(());
            }
            from = self.horizon.as_deref().map(L::after);
        }
    }

    async fn hand_on(&self, entries: Vec<L::Entry>) -> Result<(), Ended> {
        self.send.send(Ok(entries)).await.map_err(|_| Ended::Unread)
    }

    /// Hands the segments on in their order, and begins others behind them. True at the end of the listing.
    async fn read_segments(&mut self) -> Result<bool, Ended> {
        while let Some(mut segment) = self.segments.pop_front() {
            let (mut scale, mut found) = (None, false);
            let end = loop {
                let piece = match segment.pages.recv().await {
                    Some(piece) => piece.map_err(Ended::Refused)?,
                    None => return Err(Ended::Refused(broken_off())),
                };
                found |= !piece.entries.is_empty();
                scale = ruler::<L>(&piece.entries).or(scale);
                self.hand_on(piece.entries).await?;
                if let Some(end) = piece.end {
                    break end;
                }
            };
            let End::Before(key) = end else { return Ok(true) };
            // Between this segment and that key there is nothing.
            while self.segments.front().is_some_and(|it| it.until < key) {
                self.segments.pop_front();
            }
            self.at_once = if found { (self.at_once * 2).min(SEGMENTS) } else { (self.at_once / 2).max(1) };
            if let Some(scale) = scale {
                self.foresee(&scale, &mut None);
            }
        }
        Ok(false)
    }

    /// Begins segments behind the last one. The first of them goes on `from` a page that was read, where there is one.
    fn foresee(&mut self, ruler: &Ruler, from: &mut Option<L::From>) {
        while self.segments.len() < self.at_once {
            let Some(horizon) = self.horizon.clone() else { return };
            let cut = ruler.position(&horizon).and_then(|at| ruler.key_at(at + ruler.span * OF_A_SEGMENT as u128));
            let Some(until) = cut.filter(|until| *until > horizon) else { return };
            let begin = from.take().unwrap_or_else(|| L::after(&horizon));
            self.horizon = Some(until.clone());
            self.segments.push_back(segment(self.listing.clone(), begin, until));
        }
    }
}

/// Tells how the keys of a page are counted.
fn ruler<L: Listing>(entries: &[L::Entry]) -> Option<Ruler> {
    let last = entries.last()?;
    let mut keys: Vec<&str> = entries.iter().step_by(entries.len().div_ceil(SAMPLE)).map(L::key).collect();
    keys.push(L::key(last));
    Ruler::of(&keys)
}

/// Begins to read a segment.
fn segment<L: Listing>(listing: L, from: L::From, until: String) -> Segment<L::Entry> {
    let (send, pages) = mpsc::channel(OF_A_SEGMENT);
    let mut reader = JoinSet::new();
    let bound = until.clone();
    reader.spawn(async move {
        let mut from = Some(from);
        while from.is_some() {
            let read = listing.page(from.take()).await;
            let piece = read.map(|(mut entries, next)| {
                let inside = entries.partition_point(|it| L::key(it) <= bound.as_str());
                let behind = entries.get(inside).map(|it| L::key(it).to_owned());
                entries.truncate(inside);
                let end = match (behind, next) {
                    (Some(key), _) => Some(End::Before(key)),
                    (None, None) => Some(End::Listed),
                    (None, Some(next)) => {
                        from = Some(next);
                        None
                    }
                };
                Piece { entries, end }
            });
            if send.send(piece).await.is_err() {
                return;
            }
        }
    });
    Segment { until, pages, _reader: reader }
}

fn broken_off() -> AwsError {
    AwsError {
        operation: "s3:ListBucket",
        code: None,
        message: "a part of the listing broke off".into(),
        transient: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// A bucket that counts what it is asked.
    #[derive(Clone)]
    struct Shelf {
        keys: Arc<Vec<String>>,
        of_a_page: usize,
        takes: Duration,
        /// Refuses the page that holds this key.
        refuses: Option<String>,
        asked: Arc<AtomicUsize>,
        /// Under way now, and the most at once.
        under_way: Arc<Mutex<(usize, usize)>>,
    }

    impl Shelf {
        fn of(keys: impl IntoIterator<Item = String>, of_a_page: usize) -> Self {
            let keys: BTreeSet<String> = keys.into_iter().collect();
            let keys = Arc::new(keys.into_iter().collect());
            let (asked, under_way) = (Arc::default(), Arc::default());
            Self { keys, of_a_page, takes: Duration::ZERO, refuses: None, asked, under_way }
        }

        async fn read(&self) -> (Vec<String>, Option<AwsError>) {
            let (mut pages, mut read) = (Pages::of(self.clone()), Vec::new());
            loop {
                match pages.next().await {
                    Ok(Some(key)) => read.push(key),
                    Ok(None) => return (read, None),
                    Err(error) => return (read, Some(error)),
                }
            }
        }
    }

    impl Listing for Shelf {
        type Entry = String;
        type From = String;

        async fn page(&self, from: Option<String>) -> Result<Page<String, String>, AwsError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            {
                let mut under_way = self.under_way.lock().expect("a lock");
                under_way.0 += 1;
                under_way.1 = under_way.1.max(under_way.0);
            }
            match self.takes.is_zero() {
                true => tokio::task::yield_now().await,
                false => tokio::time::sleep(self.takes).await,
            }
            self.under_way.lock().expect("a lock").0 -= 1;
            let begin = from.map_or(0, |from| self.keys.partition_point(|key| *key <= from));
            let end = (begin + self.of_a_page).min(self.keys.len());
            let page = self.keys[begin..end].to_vec();
            if self.refuses.as_ref().is_some_and(|key| page.contains(key)) {
                return Err(AwsError { message: "denied".into(), ..broken_off() });
            }
            let next = (end < self.keys.len()).then(|| page.last().cloned()).flatten();
            Ok((page, next))
        }

        fn after(key: &str) -> String {
            key.to_owned()
        }

        fn key(entry: &String) -> &str {
            entry
        }
    }

    /// Keys as buckets have them, and as they have not: counters with gaps, hashes, dates, words, all mixed.
    fn keys() -> impl Strategy<Value = Vec<String>> {
        let counted = (0..3_u32, 0..400_u32, 1..7_u32, 1..200_u32).prop_map(|(folder, first, step, count)| {
            (0..count).map(|n| format!("{folder}/part-{:06}.gz", first + n * step)).collect::<Vec<_>>()
        });
        let short = (0..400_u32).prop_map(|count| (0..count).map(|n| format!("n{n}")).collect());
        let hashed = prop::collection::vec("[0-3]/[0-9a-f]{6}", 0..200);
        let dated = prop::collection::vec("2026/(0[1-9]|1[0-2])/[0-3][0-9]/[a-f0-9]{4}", 0..200);
        let words = prop::collection::vec("[a-zA-Z/\u{e9}\u{1f600} +%]{1,5}", 0..200);
        prop::collection::vec(prop_oneof![counted, short, hashed, dated, words], 1..5)
            .prop_map(|all| all.into_iter().flatten().collect())
    }

    proptest! {
        #[test]
        fn whatever_is_foreseen_every_key_is_read_once_and_in_order(keys in keys(), of_a_page in 1..9_usize) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let shelf = Shelf::of(keys, of_a_page);
            let (read, error) = runtime.block_on(shelf.read());
            prop_assert_eq!(error, None);
            prop_assert_eq!(&read, &*shelf.keys);
        }
    }

    #[tokio::test]
    async fn a_long_listing_of_counted_keys_is_read_many_pages_at_once() {
        let mut shelf = Shelf::of((0..20_000).map(|n| format!("logs/{n:012}.json")), 100);
        shelf.takes = Duration::from_millis(2);
        let (read, error) = shelf.read().await;
        assert_eq!((read.len(), error), (20_000, None));
        let (asked, most) = (shelf.asked.load(Ordering::Relaxed), shelf.under_way.lock().expect("a lock").1);
        assert!(asked <= 260, "{asked} requests for 200 pages");
        assert!((6..=SEGMENTS + 1).contains(&most), "{most} at once");
    }

    #[tokio::test]
    async fn a_short_listing_costs_a_request_a_page() {
        let shelf = Shelf::of((0..1000).map(|n| format!("{n:04}")), 100);
        assert_eq!(shelf.read().await.0.len(), 1000);
        assert_eq!(shelf.asked.load(Ordering::Relaxed), IN_TURN);
    }

    #[tokio::test]
    async fn a_refusal_in_a_segment_comes_in_its_place_and_is_the_last_word() {
        let mut shelf = Shelf::of((0..10_000).map(|n| format!("{n:05}")), 100);
        shelf.refuses = Some("04242".into());
        let (read, error) = shelf.read().await;
        assert_eq!(error.map(|it| it.message).as_deref(), Some("denied"));
        assert!(read.len() <= 4242 && read.len() >= 3800, "{}", read.len());
        assert!(read.iter().zip(shelf.keys.iter()).all(|(read, key)| read == key));
    }
}
