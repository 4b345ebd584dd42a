-- ["<eaf0afe730f19ac5be1121cc940b7408@us.example>", "<1b7e2345314ec19cf04963b3accafdf5@us.example>", "<212a8fca08445c506aa5487a0cc2fdc9@us.example>", "<c9fd5086214843fd476c5563e82b509b@us.example>"]
BEGIN TRANSACTION;
CREATE TABLE account (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	website TEXT NOT NULL, 
	phone TEXT NOT NULL, 
	industry TEXT NOT NULL, 
	country TEXT NOT NULL, 
	owner_id INTEGER, 
	CONSTRAINT fk_account_owner_id FOREIGN KEY(owner_id) REFERENCES user (id)
);
CREATE TABLE activity (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	type TEXT NOT NULL, 
	category_id INTEGER, 
	subject TEXT NOT NULL, 
	status TEXT NOT NULL, 
	priority TEXT NOT NULL, 
	start TEXT, 
	"end" TEXT, 
	due TEXT, 
	all_day BOOLEAN NOT NULL, 
	timezone TEXT NOT NULL, 
	location TEXT NOT NULL, 
	body TEXT NOT NULL, 
	owner_id INTEGER, 
	created_at TEXT NOT NULL, 
	modified_at TEXT NOT NULL, 
	external BOOLEAN NOT NULL, 
	CONSTRAINT ck_activity_priority CHECK (priority IN ('low', 'normal', 'high')), 
	CONSTRAINT ck_activity_status CHECK (status IN ('planned', 'in_progress', 'done', 'cancelled')), 
	CONSTRAINT ck_activity_type CHECK (type IN ('email', 'call', 'task')), 
	CONSTRAINT fk_activity_category_id FOREIGN KEY(category_id) REFERENCES category (id), 
	CONSTRAINT fk_activity_owner_id FOREIGN KEY(owner_id) REFERENCES user (id)
);
INSERT INTO "activity" VALUES(1,'email',NULL,'Retried','done','normal',NULL,NULL,NULL,0,'','','Dear retries',NULL,'2026-03-02T12:00:00.000000+00:00','2026-03-02T12:00:00.000000+00:00',0);
INSERT INTO "activity" VALUES(2,'email',NULL,'Loop a','done','normal',NULL,NULL,NULL,0,'','','No. 1',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(3,'email',NULL,'Loop b','done','normal',NULL,NULL,NULL,0,'','','No. 2',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(4,'email',NULL,'Doubt taken','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(5,'email',NULL,'Doubt lost','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(6,'email',NULL,'Death dies','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(7,'email',NULL,'Death second','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(8,'email',NULL,'Held back','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(9,'email',NULL,'Sorry','done','normal',NULL,NULL,NULL,0,'','','function ''boom'' failed: no luck today',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(10,'email',NULL,'Branch','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(11,'email',NULL,'Draft','planned','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(12,'email',NULL,'Moved restarts','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(13,'email',NULL,'To the team','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
INSERT INTO "activity" VALUES(14,'email',NULL,'To the team','done','normal',NULL,NULL,NULL,0,'','','Hello',NULL,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',0);
CREATE TABLE activity_link (
	id INTEGER NOT NULL, 
	activity_id INTEGER NOT NULL, 
	contact_id INTEGER, 
	account_id INTEGER, 
	opportunity_id INTEGER, 
	reason TEXT NOT NULL, 
	confidence FLOAT NOT NULL, 
	CONSTRAINT pk_activity_link PRIMARY KEY (id), 
	CONSTRAINT ck_activity_link_one_target CHECK (CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END + CASE WHEN account_id IS NULL THEN 0 ELSE 1 END + CASE WHEN opportunity_id IS NULL THEN 0 ELSE 1 END = 1), 
	CONSTRAINT fk_activity_link_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE, 
	CONSTRAINT fk_activity_link_activity_id FOREIGN KEY(activity_id) REFERENCES activity (id) ON DELETE CASCADE, 
	CONSTRAINT fk_activity_link_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE, 
	CONSTRAINT fk_activity_link_opportunity_id FOREIGN KEY(opportunity_id) REFERENCES opportunity (id) ON DELETE CASCADE
);
INSERT INTO "activity_link" VALUES(1,1,NULL,NULL,1,'connected',1.0);
INSERT INTO "activity_link" VALUES(2,2,NULL,NULL,3,'connected',1.0);
INSERT INTO "activity_link" VALUES(3,3,NULL,NULL,3,'connected',1.0);
INSERT INTO "activity_link" VALUES(4,4,NULL,NULL,14,'connected',1.0);
INSERT INTO "activity_link" VALUES(5,5,NULL,NULL,15,'connected',1.0);
INSERT INTO "activity_link" VALUES(6,6,NULL,NULL,6,'connected',1.0);
INSERT INTO "activity_link" VALUES(7,7,NULL,NULL,16,'connected',1.0);
INSERT INTO "activity_link" VALUES(8,8,NULL,NULL,7,'connected',1.0);
INSERT INTO "activity_link" VALUES(9,9,NULL,NULL,9,'connected',1.0);
INSERT INTO "activity_link" VALUES(10,10,NULL,NULL,10,'connected',1.0);
INSERT INTO "activity_link" VALUES(11,11,NULL,NULL,11,'connected',1.0);
INSERT INTO "activity_link" VALUES(12,12,NULL,NULL,13,'connected',1.0);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE category (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	is_meeting BOOLEAN NOT NULL, 
	CONSTRAINT pk_category PRIMARY KEY (id), 
	CONSTRAINT uq_category_name UNIQUE (name)
);
INSERT INTO "category" VALUES(1,'meeting',1);
INSERT INTO "category" VALUES(2,'call',0);
INSERT INTO "category" VALUES(3,'to do',0);
INSERT INTO "category" VALUES(4,'paperwork',0);
CREATE TABLE contact (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	salutation TEXT NOT NULL, 
	first_name TEXT NOT NULL, 
	last_name TEXT NOT NULL, 
	job_title TEXT NOT NULL, 
	account_id INTEGER, 
	timezone TEXT NOT NULL, 
	language TEXT NOT NULL, 
	country TEXT NOT NULL, 
	opt_out BOOLEAN NOT NULL, 
	owner_id INTEGER, 
	CONSTRAINT fk_contact_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_contact_owner_id FOREIGN KEY(owner_id) REFERENCES user (id)
);
CREATE TABLE contact_address (
	id INTEGER NOT NULL, 
	contact_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	value TEXT NOT NULL, 
	normal TEXT NOT NULL, 
	label TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_contact_address PRIMARY KEY (id), 
	CONSTRAINT ck_contact_address_kind CHECK (kind IN ('email', 'phone')), 
	CONSTRAINT fk_contact_address_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE, 
	CONSTRAINT uq_contact_address_contact_id_kind_normal UNIQUE (contact_id, kind, normal)
);
CREATE TABLE definition (
	id INTEGER NOT NULL, 
	process TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	files JSON NOT NULL, 
	CONSTRAINT pk_definition PRIMARY KEY (id), 
	CONSTRAINT uq_definition_process_digest UNIQUE (process, digest), 
	CONSTRAINT uq_definition_process_number UNIQUE (process, number)
);
INSERT INTO "definition" VALUES(1,'retries','658bcf26f6c06d36daed40b77a44e7c16ec3ec2a0a03ec64342a48d5f84d086a',1,'{"retries.yaml":"\nprocess: retries\ntitle: retries\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: begin, set: {greeting: \"Dear {{ deal.name }}\"}}\n  - {id: mail, send_email: {to: ann@acme.example, subject: Retried, text: \"{{ vars.greeting }}\"}, retry: {max_attempts: 3, interval: 1m}}\n  - {id: after, log_history: \"{{ vars.greeting }}, {{ outputs.mail.state }}\"}\n"}');
INSERT INTO "definition" VALUES(2,'limps','01d7170338838cbfa1e8c5fbe27347fd326fba34335e7370796be18ea55c1fde',1,'{"limps.yaml":"\nprocess: limps\ntitle: limps\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: limp, call: {function: flaky}, retry: {max_attempts: 3, interval: 1m}}\n  - {id: after, log_history: limped}\n"}');
INSERT INTO "definition" VALUES(3,'loops','207a7d29c8c7fb3d4e6fc9b2ea9e9d5cfa2a96d724ddc849545a4a0377e397e5',1,'{"loops.yaml":"\nprocess: loops\ntitle: loops\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: begin, set: {total: 0}}\n  - id: each\n    for_each:\n      items: \"{{ [''a'', ''b'', ''c''] }}\"\n      as: x\n      steps:\n        - {id: add, set: {total: \"{{ vars.total + 1 }}\"}}\n        - {id: mail, send_email: {to: ann@acme.example, subject: \"Loop {{ x }}\", text: \"No. {{ vars.total }}\"}, retry: {max_attempts: 3, interval: 1m}}\n  - {id: after, log_history: \"looped {{ vars.total }} times\"}\n"}');
INSERT INTO "definition" VALUES(4,'fails','da9a4da8d1098b4c52100821f8d03cd13069f3b7d77acf6269b3ee31bf2f7bf6',1,'{"fails.yaml":"\nprocess: fails\ntitle: fails\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: first, log_history: before it failed}\n  - {id: boom, call: {function: boom}}\n  - {id: after, log_history: \"after {{ outputs.boom.value }}\"}\n"}');
INSERT INTO "definition" VALUES(5,'doubts','e5c089ffaef7ead5f36249591cb688485a9244469ef6a143120dccb0b4a24808',1,'{"doubts.yaml":"\nprocess: doubts\ntitle: doubts\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: mail, send_email: {to: ann@acme.example, subject: \"Doubt {{ deal.name }}\", text: Hello}}\n  - {id: after, log_history: \"doubted {{ outputs.mail.state }}\"}\n"}');
INSERT INTO "definition" VALUES(6,'dies','43a1e1d888c3d953696612c4279e08a8d9342df805c24e33ae1f692c61be83e4',1,'{"dies.yaml":"\nprocess: dies\ntitle: dies\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: first, log_history: before it died}\n  - {id: mail, send_email: {to: ann@acme.example, subject: \"Death {{ deal.name }}\", text: Hello}}\n  - {id: after, log_history: \"died {{ outputs.mail.state }}\"}\n"}');
INSERT INTO "definition" VALUES(7,'holds','5df1e1f6770b606940f26f954eec9c2ffdf19d629ad9585fe870ece47bf41ed6',1,'{"holds.yaml":"\nprocess: holds\ntitle: holds\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: mail, send_email: {to: ann@acme.example, subject: Held back, text: Hello, undo: 1 hour}}\n"}');
INSERT INTO "definition" VALUES(8,'notifies','783adb44bffdf11153f8b0f7622d98fabf3f372dfae2e7901c8f47cdedd78bf9',1,'{"notifies.yaml":"\nprocess: notifies\ntitle: notifies\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: tell, notify: {to: sales, subject: To the team, text: Hello}}\n"}');
INSERT INTO "definition" VALUES(9,'catches','023274ab5ec49f076313a1e775a2ec2bac636de9376f1d34e2f2f1f891855f96',1,'{"catches.yaml":"\nprocess: catches\ntitle: catches\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - id: boom\n    call: {function: boom}\n    on_error:\n      - {id: caught, log_history: \"caught {{ error.message }}\"}\n      - {id: mail, send_email: {to: ann@acme.example, subject: Sorry, text: \"{{ error.message }}\"}, retry: {max_attempts: 3, interval: 1m}}\n  - {id: after, log_history: caught all}\n"}');
INSERT INTO "definition" VALUES(10,'chooses','5c84714f2e86a089bb7a0b5ac973d8a5e6d61c86a75b85e92b08f9b4830e8bef',1,'{"chooses.yaml":"\nprocess: chooses\ntitle: chooses\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - id: choice\n    choose:\n      match: all\n      else: stop\n      branches:\n        - {when: deal.amount > 1, steps: [{id: one, log_history: first branch}]}\n        - {when: deal.amount > 2, steps: [{id: mail, send_email: {to: ann@acme.example, subject: Branch, text: Hello}, retry: {max_attempts: 3, interval: 1m}}]}\n        - {when: deal.amount > 3, steps: [{id: three, log_history: third branch}]}\n"}');
INSERT INTO "definition" VALUES(11,'drafts','6a5b7dc60c8d18e6eeb5ab62c1178901b89f45a77f6bed720fe521a2ea67cd6d',1,'{"drafts.yaml":"\nprocess: drafts\ntitle: drafts\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: mail, send_email: {to: ann@acme.example, subject: Draft, text: Hello, send: draft}}\n"}');
INSERT INTO "definition" VALUES(12,'begins','735f6154bf4889564daf5fe2a4c08abad0f173d561fb9ed81bf0b8b649fa3ec5',1,'{"begins.yaml":"\nprocess: begins\ntitle: begins\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: parallel\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: mail, send_email: {to: ann@acme.example, subject: Begun, text: Hello}}\n"}');
INSERT INTO "definition" VALUES(13,'restarts','3e5197c25a5f1132285e56b2de639f78f5277440bfb9058521e5a69864e0b022',1,'{"restarts.yaml":"\nprocess: restarts\ntitle: restarts\ninputs: {deal: {type: record, of: opportunity}}\ntriggers: [{manual: {on: opportunity}}]\nmode: restart\nkey: \"{{ deal.id }}\"\nhistory: {on: \"{{ deal }}\"}\nsteps:\n  - {id: mail, send_email: {to: ann@acme.example, subject: \"Moved {{ deal.name }}\", text: Hello}}\n  - {id: after, log_history: \"moved {{ deal.name }}\"}\n"}');
CREATE TABLE email_message (
	activity_id INTEGER NOT NULL, 
	message_id TEXT NOT NULL, 
	direction TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	sender_name TEXT NOT NULL, 
	"to" JSON NOT NULL, 
	cc JSON, 
	bcc JSON, 
	in_reply_to TEXT NOT NULL, 
	"references" JSON, 
	template TEXT NOT NULL, 
	language TEXT NOT NULL, 
	state TEXT, 
	claimed_by TEXT NOT NULL, 
	claimed_at TEXT, 
	not_before TEXT, 
	attempts INTEGER NOT NULL, 
	detail TEXT NOT NULL, 
	on_unknown TEXT NOT NULL, 
	instance_id INTEGER, 
	path TEXT NOT NULL, 
	round TEXT NOT NULL, 
	sent_at TEXT, 
	CONSTRAINT pk_email_message PRIMARY KEY (activity_id), 
	CONSTRAINT ck_email_message_direction CHECK (direction IN ('in', 'out')), 
	CONSTRAINT fk_email_message_activity_id FOREIGN KEY(activity_id) REFERENCES activity (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, 
	CONSTRAINT fk_email_message_instance_id FOREIGN KEY(instance_id) REFERENCES instance (id) ON DELETE SET NULL, 
	CONSTRAINT uq_email_message_message_id UNIQUE (message_id)
);
INSERT INTO "email_message" VALUES(1,'<dc4a8a52ed8f9a2d260ba46e503ebcb6@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','queued','',NULL,NULL,2,'the mail server put off the mail: 451 later','hold',2,'mail','',NULL);
INSERT INTO "email_message" VALUES(2,'<eaf0afe730f19ac5be1121cc940b7408@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','sent','',NULL,NULL,1,'250 OK','hold',3,'each/steps/mail','0','2026-03-02T12:02:00.000000+00:00');
INSERT INTO "email_message" VALUES(3,'<6b09c9329c07d45a50729f9c18103f44@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','queued','',NULL,NULL,1,'the mail server put off the mail: 451 later','hold',3,'each/steps/mail','1',NULL);
INSERT INTO "email_message" VALUES(4,'<1b7e2345314ec19cf04963b3accafdf5@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','unknown','',NULL,NULL,1,'no answer was read after the handover: the connection was cut','hold',5,'mail','',NULL);
INSERT INTO "email_message" VALUES(5,'<c77ec197eb530991304d0c792ba9e373@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','unknown','',NULL,NULL,1,'no answer was read after the handover: the connection was cut','hold',6,'mail','',NULL);
INSERT INTO "email_message" VALUES(6,'<212a8fca08445c506aa5487a0cc2fdc9@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','sending','gone:14:0','2026-03-02T12:02:00.000000+00:00',NULL,1,'','hold',7,'mail','',NULL);
INSERT INTO "email_message" VALUES(7,'<4eacfe17b4f6983c0d150a830c26efac@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','queued','',NULL,NULL,0,'','hold',8,'mail','',NULL);
INSERT INTO "email_message" VALUES(8,'<b7f8b25552817ff7f65a3bd342e59a06@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','queued','',NULL,'2026-03-02T13:02:00.000000+00:00',0,'','hold',9,'mail','',NULL);
INSERT INTO "email_message" VALUES(9,'<9c3952433b84f55c795ed9d266dca529@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','queued','',NULL,NULL,1,'the mail server put off the mail: 451 later','hold',10,'boom/on_error/mail','',NULL);
INSERT INTO "email_message" VALUES(10,'<2cbc332ba54c1de2bb54bebf51036e13@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','queued','',NULL,NULL,1,'the mail server put off the mail: 451 later','hold',11,'choice/branches/2/mail','',NULL);
INSERT INTO "email_message" VALUES(11,'<c7573f5c4b8d0d26409378f7f9b8d084@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','draft','',NULL,NULL,0,'','hold',12,'mail','',NULL);
INSERT INTO "email_message" VALUES(12,'<c9fd5086214843fd476c5563e82b509b@us.example>','out','crm@us.example','CRM','[["ann@acme.example",""]]',NULL,NULL,'',NULL,'','en','sending','gone:24:0','2026-03-02T12:02:00.000000+00:00',NULL,1,'','hold',13,'mail','',NULL);
INSERT INTO "email_message" VALUES(13,'<f633747ded58f7741aa0e5aafb6f2ea9.0@us.example>','out','crm@us.example','CRM','[["bob@us.example","bob"]]',NULL,NULL,'',NULL,'','','queued','',NULL,'2026-03-02T12:02:00.000000+00:00',0,'','hold',16,'tell','',NULL);
INSERT INTO "email_message" VALUES(14,'<f633747ded58f7741aa0e5aafb6f2ea9.1@us.example>','out','crm@us.example','CRM','[["eve@us.example","eve"]]',NULL,NULL,'',NULL,'','','queued','',NULL,'2026-03-02T12:02:00.000000+00:00',0,'','hold',16,'tell','',NULL);
CREATE TABLE email_source (
	activity_id INTEGER NOT NULL, 
	mime BLOB NOT NULL, 
	CONSTRAINT pk_email_source PRIMARY KEY (activity_id), 
	CONSTRAINT fk_email_source_activity_id FOREIGN KEY(activity_id) REFERENCES email_message (activity_id) ON DELETE CASCADE
);
INSERT INTO "email_source" VALUES(1,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A20526574726965640D0A446174653A204D6F6E2C203032204D617220323032362031323A30303A3030202B303030300D0A4D6573736167652D49443A203C64633461386135326564386639613264323630626134366535303365626362364075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A4465617220726574726965730D0A');
INSERT INTO "email_source" VALUES(2,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A204C6F6F7020610D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C65616630616665373330663139616335626531313231636339343062373430384075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A4E6F2E20310D0A');
INSERT INTO "email_source" VALUES(3,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A204C6F6F7020620D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C36623039633933323963303764343561353037323966396331383130336634344075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A4E6F2E20320D0A');
INSERT INTO "email_source" VALUES(4,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A20446F7562742074616B656E0D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C31623765323334353331346563313963663034393633623361636361666466354075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(5,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A20446F756274206C6F73740D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C63373765633139376562353330393931333034643063373932626139653337334075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(6,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A20446561746820646965730D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C32313261386663613038343435633530366161353438376130636332666463394075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(7,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A204465617468207365636F6E640D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C34656163666531376234663639383363306431353061383330633236656661634075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(8,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A2048656C64206261636B0D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C62376638623235353532383137666637663635613362643334326535396130364075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(9,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A20536F7272790D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C39633339353234333362383466353563373935656439643236366463613532394075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A66756E6374696F6E2027626F6F6D27206661696C65643A206E6F206C75636B20746F6461790D0A');
INSERT INTO "email_source" VALUES(10,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A204272616E63680D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C32636263333332626135346331646532626235346265626635313033366531334075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(11,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A2044726166740D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C63373537336635633462386430643236343039333738663766396238643038344075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(12,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20616E6E4061636D652E6578616D706C650D0A5375626A6563743A204D6F7665642072657374617274730D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C63396664353038363231343834336664343736633535363365383262353039624075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A436F6E74656E742D4C616E67756167653A20656E0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(13,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20626F62203C626F624075732E6578616D706C653E0D0A5375626A6563743A20546F20746865207465616D0D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C66363333373437646564353866373734316161306535616166623666326561392E304075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
INSERT INTO "email_source" VALUES(14,X'46726F6D3A2043524D203C63726D4075732E6578616D706C653E0D0A546F3A20657665203C6576654075732E6578616D706C653E0D0A5375626A6563743A20546F20746865207465616D0D0A446174653A204D6F6E2C203032204D617220323032362031323A30323A3030202B303030300D0A4D6573736167652D49443A203C66363333373437646564353866373734316161306535616166623666326561392E314075732E6578616D706C653E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A48656C6C6F0D0A');
CREATE TABLE event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at TEXT NOT NULL, 
	type TEXT NOT NULL, 
	entity TEXT NOT NULL, 
	record_id INTEGER, 
	changed JSON, 
	process TEXT NOT NULL, 
	"trigger" TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	payload JSON, 
	dedupe_key TEXT, 
	dispatched_at TEXT, 
	CONSTRAINT uq_event_dedupe_key UNIQUE (dedupe_key)
);
INSERT INTO "event" VALUES(1,'2026-03-02T12:00:00.000000+00:00','added','user',1,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(2,'2026-03-02T12:00:00.000000+00:00','added','user',2,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(3,'2026-03-02T12:00:00.000000+00:00','added','opportunity',1,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(4,'2026-03-02T12:00:00.000000+00:00','added','opportunity',2,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(5,'2026-03-02T12:00:00.000000+00:00','added','opportunity',3,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(6,'2026-03-02T12:00:00.000000+00:00','added','opportunity',4,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(7,'2026-03-02T12:00:00.000000+00:00','added','opportunity',5,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(8,'2026-03-02T12:00:00.000000+00:00','added','opportunity',6,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(9,'2026-03-02T12:00:00.000000+00:00','added','opportunity',7,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(10,'2026-03-02T12:00:00.000000+00:00','added','opportunity',8,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(11,'2026-03-02T12:00:00.000000+00:00','added','opportunity',9,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(12,'2026-03-02T12:00:00.000000+00:00','added','opportunity',10,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(13,'2026-03-02T12:00:00.000000+00:00','added','opportunity',11,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(14,'2026-03-02T12:00:00.000000+00:00','added','opportunity',12,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(15,'2026-03-02T12:00:00.000000+00:00','added','opportunity',13,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(16,'2026-03-02T12:00:00.000000+00:00','added','opportunity',14,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(17,'2026-03-02T12:00:00.000000+00:00','added','opportunity',15,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(18,'2026-03-02T12:00:00.000000+00:00','added','opportunity',16,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(19,'2026-03-02T12:00:00.000000+00:00','added','opportunity',17,NULL,'','','',NULL,NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(20,'2026-03-02T12:00:00.000000+00:00','manual','',NULL,NULL,'limps','','user:anna','{"deal":{"$ref":"opportunity:2"}}',NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(21,'2026-03-02T12:00:00.000000+00:00','manual','',NULL,NULL,'retries','','user:anna','{"deal":{"$ref":"opportunity:1"}}',NULL,'2026-03-02T12:00:00.000000+00:00');
INSERT INTO "event" VALUES(22,'2026-03-02T12:00:00.000000+00:00','added','activity',1,NULL,'','','retries',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(23,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'loops','','user:anna','{"deal":{"$ref":"opportunity:3"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(24,'2026-03-02T12:02:00.000000+00:00','added','activity',2,NULL,'','','loops',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(25,'2026-03-02T12:02:00.000000+00:00','added','activity',3,NULL,'','','loops',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(26,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'fails','','user:anna','{"deal":{"$ref":"opportunity:4"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(27,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'doubts','','user:anna','{"deal":{"$ref":"opportunity:14"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(28,'2026-03-02T12:02:00.000000+00:00','added','activity',4,NULL,'','','doubts',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(29,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'doubts','','user:anna','{"deal":{"$ref":"opportunity:15"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(30,'2026-03-02T12:02:00.000000+00:00','added','activity',5,NULL,'','','doubts',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(31,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'dies','','user:anna','{"deal":{"$ref":"opportunity:6"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(32,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'dies','','user:anna','{"deal":{"$ref":"opportunity:16"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(33,'2026-03-02T12:02:00.000000+00:00','added','activity',6,NULL,'','','dies',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(34,'2026-03-02T12:02:00.000000+00:00','added','activity',7,NULL,'','','dies',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(35,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'holds','','user:anna','{"deal":{"$ref":"opportunity:7"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(36,'2026-03-02T12:02:00.000000+00:00','added','activity',8,NULL,'','','holds',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(37,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'catches','','user:anna','{"deal":{"$ref":"opportunity:9"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(38,'2026-03-02T12:02:00.000000+00:00','added','activity',9,NULL,'','','catches',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(39,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'chooses','','user:anna','{"deal":{"$ref":"opportunity:10"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(40,'2026-03-02T12:02:00.000000+00:00','added','activity',10,NULL,'','','chooses',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(41,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'drafts','','user:anna','{"deal":{"$ref":"opportunity:11"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(42,'2026-03-02T12:02:00.000000+00:00','added','activity',11,NULL,'','','drafts',NULL,NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(43,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'restarts','','user:anna','{"deal":{"$ref":"opportunity:13"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(44,'2026-03-02T12:02:00.000000+00:00','added','activity',12,NULL,'','','restarts',NULL,NULL,NULL);
INSERT INTO "event" VALUES(45,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'restarts','','user:anna','{"deal":{"$ref":"opportunity:13"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(46,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'begins','','user:anna','{"deal":{"$ref":"opportunity:12"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(47,'2026-03-02T12:02:00.000000+00:00','manual','',NULL,NULL,'notifies','','user:anna','{"deal":{"$ref":"opportunity:8"}}',NULL,'2026-03-02T12:02:00.000000+00:00');
INSERT INTO "event" VALUES(48,'2026-03-02T12:02:00.000000+00:00','added','activity',13,NULL,'','','notifies',NULL,NULL,NULL);
INSERT INTO "event" VALUES(49,'2026-03-02T12:02:00.000000+00:00','added','activity',14,NULL,'','','notifies',NULL,NULL,NULL);
CREATE TABLE history (
	id INTEGER NOT NULL, 
	entity TEXT NOT NULL, 
	record_id INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	text TEXT NOT NULL, 
	activity_id INTEGER, 
	actor_kind TEXT NOT NULL, 
	actor_name TEXT NOT NULL, 
	actor_process TEXT NOT NULL, 
	actor_instance INTEGER, 
	actor_step TEXT NOT NULL, 
	CONSTRAINT pk_history PRIMARY KEY (id), 
	CONSTRAINT fk_history_activity_id FOREIGN KEY(activity_id) REFERENCES activity (id) ON DELETE SET NULL
);
INSERT INTO "history" VALUES(1,'opportunity',1,'2026-03-02T12:00:00.000000+00:00','email','E-mail “Retried” to ann@acme.example',1,'process','retries','retries',2,'mail');
INSERT INTO "history" VALUES(2,'opportunity',3,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Loop a” to ann@acme.example',2,'process','loops','loops',3,'each/steps/mail');
INSERT INTO "history" VALUES(3,'opportunity',3,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Loop b” to ann@acme.example',3,'process','loops','loops',3,'each/steps/mail');
INSERT INTO "history" VALUES(4,'opportunity',4,'2026-03-02T12:02:00.000000+00:00','note','before it failed',NULL,'process','fails','fails',4,'first');
INSERT INTO "history" VALUES(5,'opportunity',14,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Doubt taken” to ann@acme.example',4,'process','doubts','doubts',5,'mail');
INSERT INTO "history" VALUES(6,'opportunity',15,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Doubt lost” to ann@acme.example',5,'process','doubts','doubts',6,'mail');
INSERT INTO "history" VALUES(7,'opportunity',6,'2026-03-02T12:02:00.000000+00:00','note','before it died',NULL,'process','dies','dies',7,'first');
INSERT INTO "history" VALUES(8,'opportunity',16,'2026-03-02T12:02:00.000000+00:00','note','before it died',NULL,'process','dies','dies',8,'first');
INSERT INTO "history" VALUES(9,'opportunity',6,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Death dies” to ann@acme.example',6,'process','dies','dies',7,'mail');
INSERT INTO "history" VALUES(10,'opportunity',16,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Death second” to ann@acme.example',7,'process','dies','dies',8,'mail');
INSERT INTO "history" VALUES(11,'opportunity',7,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Held back” to ann@acme.example',8,'process','holds','holds',9,'mail');
INSERT INTO "history" VALUES(12,'opportunity',9,'2026-03-02T12:02:00.000000+00:00','note','caught function ''boom'' failed: no luck today',NULL,'process','catches','catches',10,'boom/on_error/caught');
INSERT INTO "history" VALUES(13,'opportunity',9,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Sorry” to ann@acme.example',9,'process','catches','catches',10,'boom/on_error/mail');
INSERT INTO "history" VALUES(14,'opportunity',10,'2026-03-02T12:02:00.000000+00:00','note','first branch',NULL,'process','chooses','chooses',11,'choice/branches/1/one');
INSERT INTO "history" VALUES(15,'opportunity',10,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Branch” to ann@acme.example',10,'process','chooses','chooses',11,'choice/branches/2/mail');
INSERT INTO "history" VALUES(16,'opportunity',11,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Draft” to ann@acme.example',11,'process','drafts','drafts',12,'mail');
INSERT INTO "history" VALUES(17,'opportunity',13,'2026-03-02T12:02:00.000000+00:00','email','E-mail “Moved restarts” to ann@acme.example',12,'process','restarts','restarts',13,'mail');
CREATE TABLE instance (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	process TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	title TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	live_key TEXT, 
	state TEXT NOT NULL, 
	inputs JSON NOT NULL, 
	"trigger" JSON NOT NULL, 
	trigger_id TEXT NOT NULL, 
	event_id INTEGER, 
	event_at TEXT, 
	started_at TEXT NOT NULL, 
	due TEXT NOT NULL, 
	ended_at TEXT, 
	result TEXT NOT NULL, 
	error JSON, 
	flow_run_id TEXT NOT NULL, 
	lease_owner TEXT NOT NULL, 
	lease_until TEXT, 
	claim INTEGER NOT NULL, 
	stop_requested TEXT, 
	stop_requested_at TEXT, 
	CONSTRAINT ck_instance_state CHECK (state IN ('ready', 'running', 'completed', 'stopped', 'failed', 'cancelled', 'incident')), 
	CONSTRAINT fk_instance_event_id FOREIGN KEY(event_id) REFERENCES event (id) ON DELETE SET NULL, 
	CONSTRAINT uq_instance_live_key UNIQUE (live_key), 
	CONSTRAINT uq_instance_process_trigger_id_event_id UNIQUE (process, trigger_id, event_id)
);
INSERT INTO "instance" VALUES(1,'limps','01d7170338838cbfa1e8c5fbe27347fd326fba34335e7370796be18ea55c1fde','limps: limps','2',NULL,'ready','{"deal":{"$ref":"opportunity:2"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',20,'2026-03-02T12:00:00.000000+00:00','2026-03-02T12:00:00.000000+00:00','2026-03-02T12:04:06.394768+00:00',NULL,'','{"message":"not now","class":"temporary","hint":"","place":"limps.yaml:10:5","step":"limp"}','','',NULL,2,NULL,NULL);
INSERT INTO "instance" VALUES(2,'retries','658bcf26f6c06d36daed40b77a44e7c16ec3ec2a0a03ec64342a48d5f84d086a','retries: retries','1',NULL,'ready','{"deal":{"$ref":"opportunity:1"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',21,'2026-03-02T12:00:00.000000+00:00','2026-03-02T12:00:00.000000+00:00','2026-03-02T12:03:55.273997+00:00',NULL,'','{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"retries.yaml:11:5","step":"mail"}','','',NULL,2,NULL,NULL);
INSERT INTO "instance" VALUES(3,'loops','207a7d29c8c7fb3d4e6fc9b2ea9e9d5cfa2a96d724ddc849545a4a0377e397e5','loops: loops','3',NULL,'ready','{"deal":{"$ref":"opportunity:3"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',23,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:54.859718+00:00',NULL,'','{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"loops.yaml:17:11","step":"each/steps/mail"}','','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(4,'fails','da9a4da8d1098b4c52100821f8d03cd13069f3b7d77acf6269b3ee31bf2f7bf6','fails: fails','4',NULL,'incident','{"deal":{"$ref":"opportunity:4"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',26,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'','{"message":"function ''boom'' failed: no luck today","class":"permanent","hint":"","place":"fails.yaml:11:5","step":"boom"}','','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(5,'doubts','e5c089ffaef7ead5f36249591cb688485a9244469ef6a143120dccb0b4a24808','doubts: taken','14',NULL,'incident','{"deal":{"$ref":"opportunity:14"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',27,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'','{"message":"no answer was read after the handover: the connection was cut","class":"unknown","hint":"","place":"doubts.yaml:10:5","step":"mail"}','','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(6,'doubts','e5c089ffaef7ead5f36249591cb688485a9244469ef6a143120dccb0b4a24808','doubts: lost','15',NULL,'incident','{"deal":{"$ref":"opportunity:15"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',29,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'','{"message":"no answer was read after the handover: the connection was cut","class":"unknown","hint":"","place":"doubts.yaml:10:5","step":"mail"}','','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(7,'dies','43a1e1d888c3d953696612c4279e08a8d9342df805c24e33ae1f692c61be83e4','dies: dies','6',NULL,'running','{"deal":{"$ref":"opportunity:6"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',31,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'',NULL,'','gone:14:0','2026-03-02T12:02:30.000000+00:00',1,NULL,NULL);
INSERT INTO "instance" VALUES(8,'dies','43a1e1d888c3d953696612c4279e08a8d9342df805c24e33ae1f692c61be83e4','dies: second','16',NULL,'running','{"deal":{"$ref":"opportunity:16"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',32,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'',NULL,'','gone:14:0','2026-03-02T12:02:30.000000+00:00',1,NULL,NULL);
INSERT INTO "instance" VALUES(9,'holds','5df1e1f6770b606940f26f954eec9c2ffdf19d629ad9585fe870ece47bf41ed6','holds: holds','7',NULL,'completed','{"deal":{"$ref":"opportunity:7"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',35,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','',NULL,'','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(10,'catches','023274ab5ec49f076313a1e775a2ec2bac636de9376f1d34e2f2f1f891855f96','catches: catches','9',NULL,'ready','{"deal":{"$ref":"opportunity:9"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',37,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:54.870310+00:00',NULL,'','{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"catches.yaml:14:9","step":"boom/on_error/mail"}','','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(11,'chooses','5c84714f2e86a089bb7a0b5ac973d8a5e6d61c86a75b85e92b08f9b4830e8bef','chooses: chooses','10',NULL,'ready','{"deal":{"$ref":"opportunity:10"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',39,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:03:00.230983+00:00',NULL,'','{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"chooses.yaml:16:43","step":"choice/branches/2/mail"}','','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(12,'drafts','6a5b7dc60c8d18e6eeb5ab62c1178901b89f45a77f6bed720fe521a2ea67cd6d','drafts: drafts','11',NULL,'completed','{"deal":{"$ref":"opportunity:11"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',41,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','',NULL,'','',NULL,1,NULL,NULL);
INSERT INTO "instance" VALUES(13,'restarts','3e5197c25a5f1132285e56b2de639f78f5277440bfb9058521e5a69864e0b022','restarts: restarts','13',NULL,'running','{"deal":{"$ref":"opportunity:13"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',43,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'',NULL,'','gone:24:0','2026-03-02T12:02:30.000000+00:00',1,'superseded','2026-03-02T12:02:00.000000+00:00');
INSERT INTO "instance" VALUES(14,'restarts','3e5197c25a5f1132285e56b2de639f78f5277440bfb9058521e5a69864e0b022','restarts: restarts','13','2d198d10641e58a1dd3d6a505d9a58ca78b90b9d7426a3a50c18daa6e9c42e11','ready','{"deal":{"$ref":"opportunity:13"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',45,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'',NULL,'','',NULL,0,NULL,NULL);
INSERT INTO "instance" VALUES(15,'begins','735f6154bf4889564daf5fe2a4c08abad0f173d561fb9ed81bf0b8b649fa3ec5','begins: begins','12',NULL,'ready','{"deal":{"$ref":"opportunity:12"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',46,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00',NULL,'',NULL,'','',NULL,0,NULL,NULL);
INSERT INTO "instance" VALUES(16,'notifies','783adb44bffdf11153f8b0f7622d98fabf3f372dfae2e7901c8f47cdedd78bf9','notifies: notifies','8',NULL,'completed','{"deal":{"$ref":"opportunity:8"}}','{"id":"by_hand","event":"manual","changed":[],"by":"anna"}','by_hand',47,'2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','2026-03-02T12:02:00.000000+00:00','',NULL,'','',NULL,1,NULL,NULL);
CREATE TABLE opportunity (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	stage TEXT NOT NULL, 
	amount NUMERIC(18, 2), 
	currency TEXT NOT NULL, 
	close_date DATE, 
	account_id INTEGER, 
	contact_id INTEGER, 
	owner_id INTEGER, 
	CONSTRAINT fk_opportunity_account_id FOREIGN KEY(account_id) REFERENCES account (id), 
	CONSTRAINT fk_opportunity_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id), 
	CONSTRAINT fk_opportunity_owner_id FOREIGN KEY(owner_id) REFERENCES user (id)
);
INSERT INTO "opportunity" VALUES(1,'retries','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(2,'limps','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(3,'loops','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(4,'fails','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(5,'doubts','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(6,'dies','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(7,'holds','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(8,'notifies','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(9,'catches','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(10,'chooses','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(11,'drafts','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(12,'begins','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(13,'restarts','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(14,'taken','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(15,'lost','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(16,'second','qualification',7,'',NULL,NULL,NULL,NULL);
INSERT INTO "opportunity" VALUES(17,'again','qualification',7,'',NULL,NULL,NULL,NULL);
CREATE TABLE participant (
	id INTEGER NOT NULL, 
	activity_id INTEGER NOT NULL, 
	contact_id INTEGER, 
	address TEXT NOT NULL, 
	role TEXT NOT NULL, 
	response TEXT NOT NULL, 
	CONSTRAINT pk_participant PRIMARY KEY (id), 
	CONSTRAINT ck_participant_someone CHECK (contact_id IS NOT NULL OR address <> ''), 
	CONSTRAINT fk_participant_activity_id FOREIGN KEY(activity_id) REFERENCES activity (id) ON DELETE CASCADE, 
	CONSTRAINT fk_participant_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE
);
INSERT INTO "participant" VALUES(1,1,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(2,2,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(3,3,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(4,4,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(5,5,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(6,6,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(7,7,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(8,8,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(9,9,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(10,10,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(11,11,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(12,12,NULL,'ann@acme.example','to','');
INSERT INTO "participant" VALUES(13,13,NULL,'bob@us.example','to','');
INSERT INTO "participant" VALUES(14,14,NULL,'eve@us.example','to','');
CREATE TABLE step_run (
	id INTEGER NOT NULL, 
	instance_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	round TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	at TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	branch TEXT NOT NULL, 
	output JSON, 
	error JSON, 
	CONSTRAINT pk_step_run PRIMARY KEY (id), 
	CONSTRAINT fk_step_run_instance_id FOREIGN KEY(instance_id) REFERENCES instance (id) ON DELETE CASCADE, 
	CONSTRAINT uq_step_run_instance_id_path_round UNIQUE (instance_id, path, round)
);
INSERT INTO "step_run" VALUES(1,1,'limp','','call','retrying','2026-03-02T12:02:00.000000+00:00',2,'',NULL,'{"message":"not now","class":"temporary","hint":"","place":"limps.yaml:10:5","step":"limp"}');
INSERT INTO "step_run" VALUES(2,2,'begin','','set','done','2026-03-02T12:00:00.000000+00:00',1,'','{"out":{},"vars":{"greeting":"Dear retries"}}',NULL);
INSERT INTO "step_run" VALUES(3,2,'mail','','send_email','retrying','2026-03-02T12:02:00.000000+00:00',2,'',NULL,'{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"retries.yaml:11:5","step":"mail"}');
INSERT INTO "step_run" VALUES(4,3,'begin','','set','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{},"vars":{"total":0}}',NULL);
INSERT INTO "step_run" VALUES(5,3,'each','','for_each','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{},"items":["a","b","c"]}',NULL);
INSERT INTO "step_run" VALUES(6,3,'each/steps/add','0','set','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{},"vars":{"total":1}}',NULL);
INSERT INTO "step_run" VALUES(7,3,'each/steps/mail','0','send_email','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<eaf0afe730f19ac5be1121cc940b7408@us.example>","state":"sent","record":{"$record":"activity:2","fields":{"type":"email","subject":"Loop a"}}}}',NULL);
INSERT INTO "step_run" VALUES(8,3,'each/steps/add','1','set','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{},"vars":{"total":2}}',NULL);
INSERT INTO "step_run" VALUES(9,3,'each/steps/mail','1','send_email','retrying','2026-03-02T12:02:00.000000+00:00',1,'',NULL,'{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"loops.yaml:17:11","step":"each/steps/mail"}');
INSERT INTO "step_run" VALUES(10,4,'first','','log_history','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{}}',NULL);
INSERT INTO "step_run" VALUES(11,4,'boom','','call','retrying','2026-03-02T12:02:00.000000+00:00',0,'',NULL,'{"message":"function ''boom'' failed: no luck today","class":"permanent","hint":"","place":"fails.yaml:11:5","step":"boom"}');
INSERT INTO "step_run" VALUES(12,5,'mail','','send_email','sending','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<1b7e2345314ec19cf04963b3accafdf5@us.example>","state":"queued","record":{"$record":"activity:4","fields":{"type":"email","subject":"Doubt taken"}}}}',NULL);
INSERT INTO "step_run" VALUES(13,6,'mail','','send_email','sending','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<c77ec197eb530991304d0c792ba9e373@us.example>","state":"queued","record":{"$record":"activity:5","fields":{"type":"email","subject":"Doubt lost"}}}}',NULL);
INSERT INTO "step_run" VALUES(14,7,'first','','log_history','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{}}',NULL);
INSERT INTO "step_run" VALUES(15,8,'first','','log_history','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{}}',NULL);
INSERT INTO "step_run" VALUES(16,7,'mail','','send_email','sending','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<212a8fca08445c506aa5487a0cc2fdc9@us.example>","state":"queued","record":{"$record":"activity:6","fields":{"type":"email","subject":"Death dies"}}}}',NULL);
INSERT INTO "step_run" VALUES(17,8,'mail','','send_email','sending','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<4eacfe17b4f6983c0d150a830c26efac@us.example>","state":"queued","record":{"$record":"activity:7","fields":{"type":"email","subject":"Death second"}}}}',NULL);
INSERT INTO "step_run" VALUES(18,9,'mail','','send_email','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<b7f8b25552817ff7f65a3bd342e59a06@us.example>","state":"queued","record":{"$record":"activity:8","fields":{"type":"email","subject":"Held back"}}}}',NULL);
INSERT INTO "step_run" VALUES(19,10,'boom','','call','failed','2026-03-02T12:02:00.000000+00:00',1,'',NULL,'{"message":"function ''boom'' failed: no luck today","class":"permanent","hint":"","place":"catches.yaml:10:5","step":"boom"}');
INSERT INTO "step_run" VALUES(20,10,'boom/on_error/caught','','log_history','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{}}',NULL);
INSERT INTO "step_run" VALUES(21,10,'boom/on_error/mail','','send_email','retrying','2026-03-02T12:02:00.000000+00:00',1,'',NULL,'{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"catches.yaml:14:9","step":"boom/on_error/mail"}');
INSERT INTO "step_run" VALUES(22,11,'choice','','choose','done','2026-03-02T12:02:00.000000+00:00',1,'branches/1 branches/2 branches/3','{"out":{}}',NULL);
INSERT INTO "step_run" VALUES(23,11,'choice/branches/1/one','','log_history','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{}}',NULL);
INSERT INTO "step_run" VALUES(24,11,'choice/branches/2/mail','','send_email','retrying','2026-03-02T12:02:00.000000+00:00',1,'',NULL,'{"message":"the mail server put off the mail: 451 later","class":"temporary","hint":"","place":"chooses.yaml:16:43","step":"choice/branches/2/mail"}');
INSERT INTO "step_run" VALUES(25,12,'mail','','send_email','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<c7573f5c4b8d0d26409378f7f9b8d084@us.example>","state":"draft","record":{"$record":"activity:11","fields":{"type":"email","subject":"Draft"}}}}',NULL);
INSERT INTO "step_run" VALUES(26,13,'mail','','send_email','sending','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{"references":[],"message_id":"<c9fd5086214843fd476c5563e82b509b@us.example>","state":"queued","record":{"$record":"activity:12","fields":{"type":"email","subject":"Moved restarts"}}}}',NULL);
INSERT INTO "step_run" VALUES(27,16,'tell','','notify','done','2026-03-02T12:02:00.000000+00:00',1,'','{"out":{}}',NULL);
CREATE TABLE user (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	email TEXT NOT NULL, 
	timezone TEXT NOT NULL, 
	language TEXT NOT NULL, 
	team TEXT NOT NULL, 
	phone TEXT NOT NULL, 
	signature TEXT NOT NULL, 
	CONSTRAINT uq_user_email UNIQUE (email)
);
INSERT INTO "user" VALUES(1,'bob','bob@us.example','','','sales','','');
INSERT INTO "user" VALUES(2,'eve','eve@us.example','','','sales','','');
CREATE INDEX ix_event_record ON event (entity, record_id) WHERE record_id IS NOT NULL;
CREATE INDEX ix_event_undispatched ON event (id) WHERE dispatched_at IS NULL;
CREATE INDEX ix_account_name ON account (name);
CREATE INDEX ix_activity_due ON activity (due) WHERE due IS NOT NULL;
CREATE INDEX ix_activity_start ON activity (start) WHERE start IS NOT NULL;
CREATE INDEX ix_instance_event_id ON instance (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX ix_instance_looked_at ON instance (state) WHERE state IN ('failed', 'incident');
CREATE INDEX ix_instance_ready ON instance (due, id) WHERE state = 'ready';
CREATE INDEX ix_instance_running ON instance (lease_owner, lease_until) WHERE state = 'running';
CREATE INDEX ix_instance_unseen ON instance (ended_at) WHERE flow_run_id = '' AND ended_at IS NOT NULL;
CREATE INDEX ix_contact_account_id ON contact (account_id);
CREATE INDEX ix_contact_name ON contact (name);
CREATE INDEX ix_email_message_instance_id ON email_message (instance_id) WHERE instance_id IS NOT NULL;
CREATE INDEX ix_email_message_looked_at ON email_message (state) WHERE state NOT IN ('queued', 'sending', 'sent');
CREATE INDEX ix_email_message_queued ON email_message (not_before) WHERE state = 'queued';
CREATE INDEX ix_email_message_sending ON email_message (claimed_by) WHERE state = 'sending';
CREATE INDEX ix_history_activity_id ON history (activity_id) WHERE activity_id IS NOT NULL;
CREATE INDEX ix_history_record ON history (entity, record_id, at);
CREATE INDEX ix_contact_address_normal ON contact_address (normal, kind);
CREATE INDEX ix_opportunity_account_id ON opportunity (account_id);
CREATE INDEX ix_participant_activity_id ON participant (activity_id);
CREATE INDEX ix_participant_contact_id ON participant (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX ix_activity_link_activity_id ON activity_link (activity_id);
CREATE UNIQUE INDEX uq_activity_link_account ON activity_link (account_id, activity_id) WHERE account_id IS NOT NULL;
CREATE UNIQUE INDEX uq_activity_link_contact ON activity_link (contact_id, activity_id) WHERE contact_id IS NOT NULL;
CREATE UNIQUE INDEX uq_activity_link_opportunity ON activity_link (opportunity_id, activity_id) WHERE opportunity_id IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('user',2);
INSERT INTO "sqlite_sequence" VALUES('event',49);
INSERT INTO "sqlite_sequence" VALUES('opportunity',17);
INSERT INTO "sqlite_sequence" VALUES('instance',16);
INSERT INTO "sqlite_sequence" VALUES('activity',14);
COMMIT;
