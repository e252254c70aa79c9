-- The schema that the migrations make. Written by `npm run schema`, compared by test/migrations.test.ts: not to be edited.

create schema authority_zone;

create table authority_zone.api_key (
  prefix text not null,
  realm text not null,
  type text not null,
  mac bytea not null,
  name text not null default ''::text,
  provider text,
  pepper integer not null default 1,
  expires_at bigint,
  revoked boolean not null default false,
  last_used_day integer,
  daily_quota integer,
  constraint api_key_mac_check CHECK ((octet_length(mac) = 32)),
  constraint api_key_pkey PRIMARY KEY (prefix),
  constraint api_key_type_check CHECK ((type = ANY (ARRAY['device'::text, 'admin'::text, 'stats'::text])))
);

create table authority_zone.archive_object (
  digest bytea not null,
  kind text not null,
  first_seq bigint not null,
  end_seq bigint not null,
  previous bytea,
  frontier bytea not null,
  size bigint not null,
  made_at bigint not null,
  verified_at bigint,
  constraint archive_object_check CHECK ((end_seq > first_seq)),
  constraint archive_object_digest_check CHECK ((length(digest) = 32)),
  constraint archive_object_first_seq_check CHECK ((first_seq >= 0)),
  constraint archive_object_kind_check CHECK ((kind = ANY (ARRAY['segment'::text, 'snapshot'::text]))),
  constraint archive_object_pkey PRIMARY KEY (digest),
  constraint archive_object_previous_check CHECK ((length(previous) = 32))
);
CREATE INDEX archive_end ON authority_zone.archive_object USING btree (end_seq);
CREATE UNIQUE INDEX archive_segment ON authority_zone.archive_object USING btree (first_seq) WHERE (kind = 'segment'::text);

create table authority_zone.archive_recipient (
  one boolean not null default true,
  recipient text not null,
  constraint archive_recipient_one_check CHECK (one),
  constraint archive_recipient_pkey PRIMARY KEY (one)
);

create table authority_zone.authority_stat (
  realm text not null,
  day integer not null,
  kind text not null,
  subject_kind text not null,
  subject text not null,
  count bigint not null,
  constraint authority_stat_pkey PRIMARY KEY (realm, day, kind, subject_kind, subject)
);

create table authority_zone.checkpoint (
  size bigint not null,
  root bytea not null,
  frontier bytea not null,
  constraint checkpoint_pkey PRIMARY KEY (size),
  constraint checkpoint_root_check CHECK ((octet_length(root) = 32))
);

create table authority_zone.code_batch (
  id text not null,
  realm text not null,
  provider text not null,
  label text not null,
  language text not null,
  test_type text not null,
  needs_activation boolean not null,
  size integer not null,
  expires_at bigint not null,
  handle text,
  invalidated boolean not null default false,
  constraint code_batch_id_check CHECK ((length(id) = 4)),
  constraint code_batch_pkey PRIMARY KEY (id)
);

create table authority_zone.event (
  seq bigint not null,
  type text not null,
  record bytea not null,
  leaf_hash bytea not null,
  constraint event_leaf_hash_check CHECK ((octet_length(leaf_hash) = 32)),
  constraint event_pkey PRIMARY KEY (seq)
);

create table authority_zone.event_content (
  seq bigint not null,
  part smallint not null,
  slot smallint not null,
  salt bytea not null,
  content bytea not null,
  constraint event_content_pkey PRIMARY KEY (seq, part, slot),
  constraint event_content_salt_check CHECK ((octet_length(salt) = 16))
) partition by LIST (slot);

create table authority_zone.issuer_handle (
  handle text not null,
  realm text not null,
  provider text not null,
  batch text,
  seq bigint not null,
  day integer not null,
  constraint issuer_handle_handle_check CHECK ((length(handle) = 22)),
  constraint issuer_handle_pkey PRIMARY KEY (handle)
);

create table authority_zone.log_head (
  one boolean not null default true,
  log_id bytea not null,
  next_seq bigint not null,
  grain bigint not null,
  configuration_seq bigint not null,
  constraint log_head_log_id_check CHECK ((octet_length(log_id) = 16)),
  constraint log_head_one_check CHECK (one),
  constraint log_head_pkey PRIMARY KEY (one)
);

create table authority_zone.mobile_app (
  realm text not null,
  name text not null,
  app jsonb not null,
  constraint mobile_app_pkey PRIMARY KEY (realm, name)
);

create table authority_zone.provider (
  realm text not null,
  name text not null,
  display_name text not null,
  state text not null,
  constraint provider_pkey PRIMARY KEY (realm, name),
  constraint provider_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text, 'closed'::text])))
);

create table authority_zone.realm (
  name text not null,
  issuer text not null,
  audience text not null,
  number integer not null,
  settings jsonb not null default '{}'::jsonb,
  constraint realm_number_key UNIQUE (number),
  constraint realm_pkey PRIMARY KEY (name)
);
CREATE UNIQUE INDEX realm_link_domain ON authority_zone.realm USING btree (((settings ->> 'linkDomain'::text))) WHERE ((settings ->> 'linkDomain'::text) <> ''::text);

create table authority_zone.realm_key (
  kid text not null,
  realm text not null,
  purpose text not null,
  public_key text not null,
  made_at bigint not null,
  used_from bigint not null,
  used_until bigint,
  destroyed_at bigint,
  constraint realm_key_pkey PRIMARY KEY (kid),
  constraint realm_key_purpose_check CHECK ((purpose = ANY (ARRAY['certificate'::text, 'text'::text])))
);

create table authority_zone.retention_cursor (
  kind text not null,
  next_seq bigint not null,
  constraint retention_cursor_pkey PRIMARY KEY (kind)
);

create table authority_zone.secret (
  name text not null,
  version integer not null,
  wrapped bytea not null,
  made bigint,
  constraint secret_made_check CHECK (((made % (86400)::bigint) = 0)),
  constraint secret_pkey PRIMARY KEY (name, version)
);

create table authority_zone.staff (
  realm text not null,
  name text not null,
  display_name text not null,
  email text,
  provider text,
  roles text[] not null,
  state text not null,
  daily_quota integer,
  constraint staff_pkey PRIMARY KEY (realm, name),
  constraint staff_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text, 'closed'::text])))
);

create table authority_zone.user_report (
  realm text not null,
  phone_mac bytea not null,
  pepper integer not null,
  seq bigint not null,
  forget_day integer not null,
  constraint user_report_phone_mac_check CHECK ((octet_length(phone_mac) = 32)),
  constraint user_report_pkey PRIMARY KEY (realm, phone_mac)
);
CREATE INDEX user_report_forget_day_idx ON authority_zone.user_report USING btree (forget_day);
CREATE INDEX user_report_seq_idx ON authority_zone.user_report USING btree (seq);

create table authority_zone.verification_code (
  seq bigint not null,
  realm text not null,
  uuid uuid,
  code_mac bytea,
  long_code_mac bytea,
  test_type text not null,
  symptom_date date,
  test_date date,
  expires_at bigint not null,
  long_expires_at bigint not null,
  api_key text,
  external_issuer text,
  token_id bytea,
  token_expires_at bigint,
  keys_mac bytea,
  place integer not null default 0,
  pepper integer,
  provider text,
  staff text,
  batch text,
  activated_seq bigint,
  token_seq bigint,
  certified_seq bigint,
  short_life integer not null default 900,
  nonce_mac bytea,
  claimed boolean not null default false,
  needs_nonce boolean not null default false,
  handle text,
  invalidated boolean not null default false,
  constraint verification_code_code_mac_check CHECK ((octet_length(code_mac) = 32)),
  constraint verification_code_code_mac_key UNIQUE (code_mac),
  constraint verification_code_external_issuer_check CHECK (((length(external_issuer) >= 1) AND (length(external_issuer) <= 255))),
  constraint verification_code_keys_mac_check CHECK ((octet_length(keys_mac) = 32)),
  constraint verification_code_long_code_mac_check CHECK ((octet_length(long_code_mac) = 32)),
  constraint verification_code_long_code_mac_key UNIQUE (long_code_mac),
  constraint verification_code_nonce_mac_check CHECK ((octet_length(nonce_mac) = 32)),
  constraint verification_code_pkey PRIMARY KEY (seq, place),
  constraint verification_code_realm_uuid_key UNIQUE (realm, uuid),
  constraint verification_code_test_type_check CHECK ((test_type = ANY (ARRAY['confirmed'::text, 'likely'::text, 'negative'::text, 'user-report'::text]))),
  constraint verification_code_token_id_check CHECK ((octet_length(token_id) = 16)),
  constraint verification_code_token_id_key UNIQUE (token_id)
);
CREATE INDEX verification_code_batch_idx ON authority_zone.verification_code USING btree (batch) WHERE (batch IS NOT NULL);
CREATE INDEX verification_code_certified_seq_idx ON authority_zone.verification_code USING btree (certified_seq) WHERE (keys_mac IS NOT NULL);
CREATE INDEX verification_code_handle_idx ON authority_zone.verification_code USING btree (handle) WHERE (handle IS NOT NULL);
CREATE INDEX verification_code_long_expires_at_idx ON authority_zone.verification_code USING btree (long_expires_at);
CREATE INDEX verification_code_long_expires_at_idx1 ON authority_zone.verification_code USING btree (long_expires_at) WHERE (code_mac IS NOT NULL);
CREATE INDEX verification_code_realm_provider_idx ON authority_zone.verification_code USING btree (realm, provider) WHERE (provider IS NOT NULL);
CREATE INDEX verification_code_token_seq_idx ON authority_zone.verification_code USING btree (token_seq) WHERE (token_seq IS NOT NULL);

create table authority_zone.withdrawal_order (
  id text not null,
  realm text not null,
  made_at bigint not null,
  jws text not null,
  delivered boolean not null default false,
  delivered_at bigint,
  refused_at bigint,
  refusal text,
  constraint withdrawal_order_pkey PRIMARY KEY (id)
);
CREATE INDEX withdrawal_order_open ON authority_zone.withdrawal_order USING btree (made_at) WHERE (NOT delivered);

-- function: forget_slot

-- function: take_head

create schema key_zone;

create table key_zone.archive_object (
  digest bytea not null,
  kind text not null,
  first_seq bigint not null,
  end_seq bigint not null,
  previous bytea,
  frontier bytea not null,
  size bigint not null,
  made_at bigint not null,
  verified_at bigint,
  constraint archive_object_check CHECK ((end_seq > first_seq)),
  constraint archive_object_digest_check CHECK ((length(digest) = 32)),
  constraint archive_object_first_seq_check CHECK ((first_seq >= 0)),
  constraint archive_object_kind_check CHECK ((kind = ANY (ARRAY['segment'::text, 'snapshot'::text]))),
  constraint archive_object_pkey PRIMARY KEY (digest),
  constraint archive_object_previous_check CHECK ((length(previous) = 32))
);
CREATE INDEX archive_end ON key_zone.archive_object USING btree (end_seq);
CREATE UNIQUE INDEX archive_segment ON key_zone.archive_object USING btree (first_seq) WHERE (kind = 'segment'::text);

create table key_zone.archive_recipient (
  one boolean not null default true,
  recipient text not null,
  constraint archive_recipient_one_check CHECK (one),
  constraint archive_recipient_pkey PRIMARY KEY (one)
);

create table key_zone.cen_report (
  seq bigint not null,
  available bigint not null,
  count integer not null,
  cell text,
  trust text not null,
  constraint cen_report_cell_check CHECK ((cell ~ '^[0-9b-hjkmnp-z]{1,4}$'::text)),
  constraint cen_report_count_check CHECK (((count >= 1) AND (count <= 20000))),
  constraint cen_report_pkey PRIMARY KEY (seq),
  constraint cen_report_seq_fkey FOREIGN KEY (seq) REFERENCES key_zone.report(seq) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  constraint cen_report_trust_check CHECK ((trust = ANY (ARRAY['verified'::text, 'located'::text, 'trusted'::text, 'shared'::text])))
);
CREATE INDEX cen_report_available ON key_zone.cen_report USING btree (available);

create table key_zone.checkpoint (
  size bigint not null,
  root bytea not null,
  frontier bytea not null,
  constraint checkpoint_pkey PRIMARY KEY (size),
  constraint checkpoint_root_check CHECK ((octet_length(root) = 32))
);

create table key_zone.correction (
  seq bigint not null,
  id bytea not null,
  kind text not null,
  made_by text not null,
  reason text not null,
  scope text,
  reports integer not null,
  keys integer not null,
  published integer not null,
  padding integer not null,
  grain bigint not null,
  constraint correction_id_check CHECK ((octet_length(id) = 16)),
  constraint correction_id_key UNIQUE (id),
  constraint correction_kind_check CHECK ((kind = ANY (ARRAY['withdrawal'::text, 'reinstatement'::text, 'amendment'::text]))),
  constraint correction_pkey PRIMARY KEY (seq),
  constraint correction_scope_check CHECK ((scope = ANY (ARRAY['retroactive'::text, 'from-now-on'::text, 'both'::text])))
);

create table key_zone.diagnosis_key (
  key_data bytea not null,
  seq bigint not null,
  available bigint not null,
  rolling_start integer not null,
  rolling_period smallint not null,
  transmission_risk smallint not null,
  report_type smallint not null,
  days_since_onset smallint not null,
  padding boolean not null default false,
  constraint diagnosis_key_days_since_onset_check CHECK (((days_since_onset >= '-14'::integer) AND (days_since_onset <= 14))),
  constraint diagnosis_key_key_data_check CHECK ((octet_length(key_data) = 16)),
  constraint diagnosis_key_pkey PRIMARY KEY (key_data),
  constraint diagnosis_key_report_type_check CHECK (((report_type >= 1) AND (report_type <= 5))),
  constraint diagnosis_key_rolling_period_check CHECK (((rolling_period >= 1) AND (rolling_period <= 144))),
  constraint diagnosis_key_rolling_start_check CHECK ((rolling_start >= 0)),
  constraint diagnosis_key_transmission_risk_check CHECK (((transmission_risk >= 0) AND (transmission_risk <= 8)))
);
CREATE INDEX diagnosis_key_available ON key_zone.diagnosis_key USING btree (available);
CREATE INDEX diagnosis_key_seq ON key_zone.diagnosis_key USING btree (seq);

create table key_zone.event (
  seq bigint not null,
  type text not null,
  record bytea not null,
  leaf_hash bytea not null,
  constraint event_leaf_hash_check CHECK ((octet_length(leaf_hash) = 32)),
  constraint event_pkey PRIMARY KEY (seq)
);

create table key_zone.event_content (
  seq bigint not null,
  part smallint not null,
  slot smallint not null,
  salt bytea not null,
  content bytea not null,
  constraint event_content_pkey PRIMARY KEY (seq, part, slot),
  constraint event_content_salt_check CHECK ((octet_length(salt) = 16))
) partition by LIST (slot);
create table key_zone.event_content_00 partition of key_zone.event_content FOR VALUES IN ('0');
create table key_zone.event_content_01 partition of key_zone.event_content FOR VALUES IN ('1');
create table key_zone.event_content_02 partition of key_zone.event_content FOR VALUES IN ('2');
create table key_zone.event_content_03 partition of key_zone.event_content FOR VALUES IN ('3');
create table key_zone.event_content_04 partition of key_zone.event_content FOR VALUES IN ('4');
create table key_zone.event_content_05 partition of key_zone.event_content FOR VALUES IN ('5');
create table key_zone.event_content_06 partition of key_zone.event_content FOR VALUES IN ('6');
create table key_zone.event_content_07 partition of key_zone.event_content FOR VALUES IN ('7');
create table key_zone.event_content_08 partition of key_zone.event_content FOR VALUES IN ('8');
create table key_zone.event_content_09 partition of key_zone.event_content FOR VALUES IN ('9');
create table key_zone.event_content_10 partition of key_zone.event_content FOR VALUES IN ('10');
create table key_zone.event_content_11 partition of key_zone.event_content FOR VALUES IN ('11');
create table key_zone.event_content_12 partition of key_zone.event_content FOR VALUES IN ('12');
create table key_zone.event_content_13 partition of key_zone.event_content FOR VALUES IN ('13');
create table key_zone.event_content_14 partition of key_zone.event_content FOR VALUES IN ('14');
create table key_zone.event_content_15 partition of key_zone.event_content FOR VALUES IN ('15');
create table key_zone.event_content_16 partition of key_zone.event_content FOR VALUES IN ('16');
create table key_zone.event_content_17 partition of key_zone.event_content FOR VALUES IN ('17');
create table key_zone.event_content_18 partition of key_zone.event_content FOR VALUES IN ('18');
create table key_zone.event_content_19 partition of key_zone.event_content FOR VALUES IN ('19');
create table key_zone.event_content_20 partition of key_zone.event_content FOR VALUES IN ('20');
create table key_zone.event_content_21 partition of key_zone.event_content FOR VALUES IN ('21');
create table key_zone.event_content_22 partition of key_zone.event_content FOR VALUES IN ('22');
create table key_zone.event_content_23 partition of key_zone.event_content FOR VALUES IN ('23');
create table key_zone.event_content_24 partition of key_zone.event_content FOR VALUES IN ('24');
create table key_zone.event_content_25 partition of key_zone.event_content FOR VALUES IN ('25');
create table key_zone.event_content_26 partition of key_zone.event_content FOR VALUES IN ('26');
create table key_zone.event_content_27 partition of key_zone.event_content FOR VALUES IN ('27');
create table key_zone.event_content_28 partition of key_zone.event_content FOR VALUES IN ('28');
create table key_zone.event_content_29 partition of key_zone.event_content FOR VALUES IN ('29');
create table key_zone.event_content_30 partition of key_zone.event_content FOR VALUES IN ('30');
create table key_zone.event_content_31 partition of key_zone.event_content FOR VALUES IN ('31');

create table key_zone.health_authority (
  app text not null,
  issuer text not null,
  audience text not null,
  regions text[] not null,
  disabled boolean not null default false,
  jwks_url text,
  constraint health_authority_pkey PRIMARY KEY (app)
);

create table key_zone.health_authority_key (
  app text not null,
  kid text not null,
  public_key text not null,
  valid_from bigint not null,
  valid_through bigint,
  from_jwks boolean not null default false,
  revoked_by text,
  constraint health_authority_key_pkey PRIMARY KEY (app, kid),
  constraint health_authority_key_revoked_by_check CHECK ((revoked_by = ANY (ARRAY['command'::text, 'refresh'::text])))
);

create table key_zone.key_mark (
  key_data bytea not null,
  seq bigint not null,
  withdrawal bigint not null,
  available bigint not null,
  change smallint not null,
  constraint key_mark_change_check CHECK ((change = ANY (ARRAY[1, '-1'::integer]))),
  constraint key_mark_key_data_check CHECK ((octet_length(key_data) = 16)),
  constraint key_mark_pkey PRIMARY KEY (key_data, seq, withdrawal)
);
CREATE INDEX key_mark_available ON key_zone.key_mark USING btree (available);
CREATE INDEX key_mark_seq ON key_zone.key_mark USING btree (seq);

create table key_zone.key_revision (
  key_data bytea not null,
  seq bigint not null,
  available bigint not null,
  report_type smallint not null,
  transmission_risk smallint not null,
  days_since_onset smallint not null,
  constraint key_revision_days_since_onset_check CHECK (((days_since_onset >= '-14'::integer) AND (days_since_onset <= 14))),
  constraint key_revision_key_data_check CHECK ((octet_length(key_data) = 16)),
  constraint key_revision_pkey PRIMARY KEY (key_data),
  constraint key_revision_report_type_check CHECK (((report_type >= 1) AND (report_type <= 5))),
  constraint key_revision_transmission_risk_check CHECK (((transmission_risk >= 0) AND (transmission_risk <= 8)))
);
CREATE INDEX key_revision_available ON key_zone.key_revision USING btree (available);
CREATE INDEX key_revision_seq ON key_zone.key_revision USING btree (seq);

create table key_zone.log_head (
  one boolean not null default true,
  log_id bytea not null,
  next_seq bigint not null,
  grain bigint not null,
  configuration_seq bigint not null,
  constraint log_head_log_id_check CHECK ((octet_length(log_id) = 16)),
  constraint log_head_one_check CHECK (one),
  constraint log_head_pkey PRIMARY KEY (one)
);

create table key_zone.operator (
  name text not null,
  prefix text not null,
  role text not null,
  mac bytea not null,
  revoked boolean not null default false,
  constraint operator_mac_check CHECK ((octet_length(mac) = 32)),
  constraint operator_pkey PRIMARY KEY (name),
  constraint operator_prefix_key UNIQUE (prefix),
  constraint operator_role_check CHECK ((role = ANY (ARRAY['look'::text, 'correct'::text])))
);

create table key_zone.release (
  stream text not null,
  number integer not null,
  seq bigint not null,
  window_start bigint not null,
  window_end bigint not null,
  configuration_seq bigint not null,
  read_seq bigint not null,
  keys_from bigint,
  constraint release_pkey PRIMARY KEY (stream, number),
  constraint release_seq_key UNIQUE (seq)
);
CREATE INDEX release_keys ON key_zone.release USING btree (stream, keys_from) WHERE (keys_from IS NOT NULL);

create table key_zone.release_file (
  path text not null,
  stream text not null,
  number integer not null,
  size bigint not null,
  digest bytea not null,
  unlisted_at bigint,
  removed_at bigint,
  constraint release_file_digest_check CHECK ((octet_length(digest) = 32)),
  constraint release_file_pkey PRIMARY KEY (path)
);
CREATE INDEX release_file_leaving ON key_zone.release_file USING btree (stream) WHERE ((unlisted_at IS NOT NULL) AND (removed_at IS NULL));
CREATE INDEX release_file_listed ON key_zone.release_file USING btree (stream, number) WHERE (unlisted_at IS NULL);
CREATE INDEX release_file_stream ON key_zone.release_file USING btree (stream, number);

create table key_zone.report (
  seq bigint not null,
  tracking_id bytea not null,
  fingerprint bytea not null,
  app text not null,
  regions text[] not null,
  traveler boolean not null,
  issuer_handle bytea,
  grain bigint not null,
  source text,
  identifiers integer,
  constraint report_fingerprint_check CHECK ((octet_length(fingerprint) = 16)),
  constraint report_fingerprint_key UNIQUE (fingerprint),
  constraint report_identifiers_check CHECK ((identifiers > 0)),
  constraint report_issuer_handle_check CHECK ((octet_length(issuer_handle) = 16)),
  constraint report_pkey PRIMARY KEY (seq),
  constraint report_tracking_id_check CHECK ((octet_length(tracking_id) = 16))
);
CREATE INDEX report_issuer_handle ON key_zone.report USING btree (issuer_handle) WHERE (issuer_handle IS NOT NULL);
CREATE INDEX report_padding ON key_zone.report USING btree (seq) WHERE (source IS NULL);

create table key_zone.report_amendment (
  report bigint not null,
  seq bigint not null,
  available bigint not null,
  report_type smallint,
  onset_day integer,
  constraint report_amendment_pkey PRIMARY KEY (report, seq),
  constraint report_amendment_report_type_check CHECK (((report_type >= 1) AND (report_type <= 3)))
);
CREATE INDEX report_amendment_available ON key_zone.report_amendment USING btree (available);
CREATE INDEX report_amendment_seq ON key_zone.report_amendment USING btree (seq);

create table key_zone.report_mark (
  report bigint not null,
  seq bigint not null,
  withdrawal bigint not null,
  available bigint not null,
  change smallint not null,
  constraint report_mark_change_check CHECK ((change = ANY (ARRAY[1, '-1'::integer]))),
  constraint report_mark_pkey PRIMARY KEY (report, seq, withdrawal)
);
CREATE INDEX report_mark_available ON key_zone.report_mark USING btree (available);
CREATE INDEX report_mark_seq ON key_zone.report_mark USING btree (seq);

create table key_zone.retention_cursor (
  kind text not null,
  next_seq bigint not null,
  constraint retention_cursor_pkey PRIMARY KEY (kind)
);

create table key_zone.secret (
  name text not null,
  version integer not null,
  wrapped bytea not null,
  made bigint,
  constraint secret_made_check CHECK (((made % (86400)::bigint) = 0)),
  constraint secret_pkey PRIMARY KEY (name, version)
);

create table key_zone.standing_withdrawal (
  seq bigint not null,
  id bytea not null,
  apps text[],
  source text,
  regions text[],
  issuer_handles bytea[],
  accepted_from bigint,
  accepted_before bigint,
  constraint standing_withdrawal_id_check CHECK ((octet_length(id) = 16)),
  constraint standing_withdrawal_id_key UNIQUE (id),
  constraint standing_withdrawal_pkey PRIMARY KEY (seq)
);

create table key_zone.stream (
  name text not null,
  configuration_seq bigint not null,
  region text not null,
  period integer not null,
  window_age integer not null,
  start bigint not null,
  input_regions text[] not null,
  excluded_regions text[] not null,
  travelers text not null,
  report_types smallint[] not null,
  hold integer not null,
  minimum integer not null,
  maximum integer not null,
  retention integer not null,
  through bigint,
  kind text not null,
  settings jsonb not null,
  diagnosis_keys boolean not null,
  constraint stream_hold_check CHECK ((hold >= 0)),
  constraint stream_maximum_check CHECK ((maximum > 0)),
  constraint stream_minimum_check CHECK ((minimum >= 0)),
  constraint stream_period_check CHECK ((period > 0)),
  constraint stream_pkey PRIMARY KEY (name),
  constraint stream_retention_check CHECK ((retention > 0)),
  constraint stream_travelers_check CHECK ((travelers = ANY (ARRAY['regional'::text, 'include'::text, 'exclude'::text]))),
  constraint stream_window_age_check CHECK ((window_age >= 0))
);

create table key_zone.stream_filter (
  configuration_seq bigint not null,
  input_regions text[] not null,
  excluded_regions text[] not null,
  travelers text not null,
  report_types smallint[] not null,
  constraint stream_filter_pkey PRIMARY KEY (configuration_seq)
);

create table key_zone.stream_key (
  stream text not null,
  "position" smallint not null,
  key_id text not null,
  key_version text not null,
  public_key text not null,
  key_file text not null,
  valid_from bigint not null,
  valid_through bigint,
  constraint stream_key_pkey PRIMARY KEY (stream, "position")
);

create table key_zone.submission_statistics (
  health_authority text not null,
  hour bigint not null,
  requests_unknown integer not null,
  requests_android integer not null,
  requests_ios integer not null,
  keys_published integer not null,
  requests_with_revisions integer not null,
  requests_missing_onset integer not null,
  oldest_key_days integer[] not null,
  onset_days integer[] not null,
  constraint submission_statistics_hour_check CHECK (((hour % (3600)::bigint) = 0)),
  constraint submission_statistics_oldest_key_days_check CHECK ((cardinality(oldest_key_days) = 16)),
  constraint submission_statistics_onset_days_check CHECK ((cardinality(onset_days) = 30)),
  constraint submission_statistics_pkey PRIMARY KEY (health_authority, hour)
);

-- function: add_counts

-- function: changed_keys

-- function: changes_of_key

-- function: count_submissions

-- function: first_release

-- function: forget_slot

-- function: is_counted

-- function: key_state

-- function: report_is_held

-- function: store_keys

-- function: store_other_reports

-- function: store_reports

-- function: store_revisions

-- function: stream_takes

-- function: take_head

create schema tocsin;

create table tocsin.deployment (
  one boolean not null default true,
  demo boolean not null,
  constraint deployment_one_check CHECK (one),
  constraint deployment_pkey PRIMARY KEY (one)
);

create table tocsin.login (
  zone text not null,
  role_name text not null,
  wrapped_password bytea not null,
  constraint login_pkey PRIMARY KEY (zone)
);

create table tocsin.migration (
  number integer not null,
  zone text not null,
  name text not null,
  digest text not null,
  constraint migration_pkey PRIMARY KEY (number, zone)
);
