//! Bytes from strangers become an event or a rejection, and an event written back is the same event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::content::fingerprint;
use tidewatch_ingest::draft::DecodeContext;
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::native;
use tidewatch_projections::names::Names;

fuzz_target!(|record: &[u8]| {
    let names = Names::new();
    let limits = Limits::default();
    let with = DecodeContext { names: &names, tenant: "main", source: names.intern("fuzz"), limits: &limits };
    let (topic, topic_id) = (names.intern("topic"), names.intern("id"));
    let origin = Origin::Kafka { topic, topic_id, partition: 0, offset: 7 };
    if let Ok(event) = native::decode(record, &with, &origin) {
        let mut written = Vec::new();
        native::write(&names, &event, &mut written);
        let again =
            native::decode(&written, &with, &origin).expect("what was accepted once is accepted again");
        assert_eq!(event, again);
        assert_eq!(fingerprint(&names, &event), fingerprint(&names, &again));
    }
});
