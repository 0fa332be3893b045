//! Any mapping file over any record: refused or used, never a panic, and no record without an outcome.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewatch_ingest::batch::Origin;
use tidewatch_ingest::draft::DecodeContext;
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::mapping::Mapping;
use tidewatch_ingest::mapping::guess::guess;
use tidewatch_projections::names::Names;

fuzz_target!(|input: &[u8]| {
    let split = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (file, record) = (&input[..split], input.get(split + 1..).unwrap_or_default());
    let limits = Limits::default();
    let _ = guess(record.split(|byte| *byte == b'\n'), &limits);
    let Ok(Ok(mapping)) = std::str::from_utf8(file).map(Mapping::parse) else { return };
    let names = Names::new();
    let with = DecodeContext { names: &names, tenant: "main", source: names.intern("fuzz"), limits: &limits };
    let origin = Origin::Line { digest: with.source, line: 1 };
    let (mut outcomes, mut rejections) = (0, 0);
    mapping.apply(record, &with, &origin, &mut |made| {
        outcomes += 1;
        rejections += usize::from(made.result.is_err());
    });
    assert!(outcomes >= 1 && rejections <= 1);
});
