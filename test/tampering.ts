// Test data: kinds of tampering with the log of verify-log.test.ts; promises one for each thing that `tocsin log verify` compares.

/** Each kind: what happens, the statement of whoever can write the tables, and what must be found, in this order. */
export const TAMPERING: readonly [string, string, readonly RegExp[]][] = [
  [
    'an event is deleted',
    'delete from event where seq = 3',
    [
      /^event 3 is missing$/,
      /^the root over the first 5 events is not the recorded one$/,
      /^the frontier over the first 5 events/,
      /^report: 1 rows follow from no event$/,
      /^diagnosis_key: 3 rows follow from no event$/,
      /^submission_statistics: 1 rows follow from no event$/,
      /^submission_statistics: 1 rows that follow from events are missing or changed$/,
    ],
  ],
  [
    'the last event is deleted',
    'delete from event where seq = 7',
    [
      /^the head says 8 events, 7 are there$/,
      /^report: 1 rows follow from no event$/,
      /^diagnosis_key: 3 rows/,
      /^submission_statistics: 1 rows follow from no event$/,
      /^submission_statistics: 1 rows that follow from events are missing or changed$/,
    ],
  ],
  [
    'the first two are deleted',
    'delete from event where seq < 2',
    [
      /^events 0 to 1 are missing$/,
      /^the root over the first 5/,
      /^the frontier over the first 5/,
      /^the head has another log id than the events$/,
      /^health_authority: 1 rows follow from no event$/,
      /^health_authority_key: 1 rows/,
    ],
  ],
  [
    // The first of a salt: no table shows it.
    'a byte of a record is changed',
    'update event set record = set_byte(record, 25, get_byte(record, 25) # 1) where seq = 6',
    [/^event 6 was changed$/],
  ],
  [
    'a record is none any more',
    "update event set record = '\\x00' where seq = 6",
    [
      /^the record of event 6 can't be read$/,
      /^report: 1 rows follow from no event$/,
      /^diagnosis_key: 3 rows/,
      /^submission_statistics: 1 rows follow from no event$/,
      /^submission_statistics: 1 rows that follow from events are missing or changed$/,
    ],
  ],
  [
    'a record is empty',
    "update event set record = '' where seq = 0",
    [/^the record of event 0 can't be read$/, /^the head has another log id/],
  ],
  [
    'a leaf hash is changed',
    "update event set leaf_hash = sha256('x') where seq = 3",
    [/^event 3 was changed$/, /^the root over the first 5/, /^the frontier over the first 5/],
  ],
  [
    'the type in a row is another',
    "update event set type = 'release' where seq = 6",
    [
      /^the row of event 6 holds event 6 of type "report"$/,
      /^report: 1 rows follow from no event$/,
      /^diagnosis_key: 3 rows/,
      /^submission_statistics: 1 rows follow from no event$/,
      /^submission_statistics: 1 rows that follow from events are missing or changed$/,
    ],
  ],
  [
    'two events change places',
    'update event set record = other.record, leaf_hash = other.leaf_hash from event other where (event.seq, other.seq) in ((6, 7), (7, 6))',
    [
      /^the row of event 6 holds event 7 of type "report"$/,
      /^the row of event 7 holds event 6/,
      /^report: 2 rows follow from no event$/,
      /^diagnosis_key: 6 rows/,
      /^submission_statistics: 1 rows follow from no event$/,
    ],
  ],
  [
    'a key is made to vanish',
    'delete from diagnosis_key where key_data = (select key_data from diagnosis_key order by 1 limit 1)',
    [/^diagnosis_key: 1 rows that follow from events are missing or changed$/],
  ],
  [
    'a key is added that nobody uploaded',
    "insert into diagnosis_key select '\\x00112233445566778899aabbccddeeff', seq, available, rolling_start, rolling_period, transmission_risk, report_type, days_since_onset from diagnosis_key limit 1",
    [/^diagnosis_key: 1 rows follow from no event$/],
  ],
  [
    'a report is marked withdrawn',
    'insert into report_mark select seq, seq, seq, grain, 1 from report limit 1',
    [/^report_mark: 1 rows follow from no event$/],
  ],
  [
    'a submission is counted once more',
    'update submission_statistics set requests_android = requests_android + 1 where hour = (select max(hour) from submission_statistics)',
    [
      /^submission_statistics: 1 rows follow from no event$/,
      /^submission_statistics: 1 rows that follow from events are missing or changed$/,
    ],
  ],
  [
    'a report is moved to another region',
    "update report set regions = '{CA}' where seq = 4",
    [/^report: 1 rows follow from no event$/, /^report: 1 rows that follow/],
  ],
  [
    'a health authority is enabled for another audience',
    "update health_authority set audience = 'x'",
    [/^health_authority: 1 rows follow/, /^health_authority: 1 rows that/],
  ],
  [
    'a public key is added',
    "insert into health_authority_key select app, 'v2', public_key, 0 from health_authority_key",
    [/^health_authority_key: 1 rows follow from no event$/],
  ],
  [
    'a stream gets another period',
    'update stream set period = 7200',
    [/^stream: 1 rows follow/, /^stream: 1 rows that/],
  ],
  [
    'a release is deleted',
    'delete from release',
    [/^release: 1 rows that follow from events are missing/],
  ],
  [
    'a file gets another digest',
    "update release_file set digest = sha256('x')",
    [/^release_file: 1 rows follow/, /^release_file: 1 rows that/],
  ],
  [
    'a recorded root is wrong',
    "update checkpoint set root = sha256('x')",
    [/^the root over the first 5 events is not the recorded one$/],
  ],
  [
    'a recorded frontier is wrong',
    "update checkpoint set frontier = frontier || sha256('x')",
    [/^the frontier over the first 5 events is not the recorded one$/],
  ],
  [
    'a checkpoint is beyond the log',
    "insert into checkpoint values (9, sha256('x'), sha256('x'))",
    [/^the checkpoint over 9 events is beyond the log$/],
  ],
  [
    'the head is too high',
    'update log_head set next_seq = 9',
    [/^the head says 9 events, 8 are there$/],
  ],
  [
    'the head is too low',
    'update log_head set next_seq = 7',
    [/^the head says 7 events, 8 are there$/],
  ],
  [
    'the head went back in time',
    'update log_head set grain = 0',
    [/^the head has an earlier grain/],
  ],
  [
    'the head hides a change of configuration',
    'update log_head set configuration_seq = 1',
    [/^the head says that event 1 is the newest of configuration, it is 2$/],
  ],
  [
    'the log id is another',
    "update log_head set log_id = '\\x00112233445566778899aabbccddeeff'",
    [/^the head has another log id than the events$/],
  ],
]
