-- Statements end with ";" at the end of a line. Each may be run again: not every engine takes back
-- what a migration that broke off had made.

-- The one row that whoever brings something new holds until the commit.
CREATE TABLE IF NOT EXISTS head (
	one      int PRIMARY KEY CHECK (one = 1),
	id       text NOT NULL,
	created  timestamptz NOT NULL,
	revision bigint NOT NULL,
	last     bigint NOT NULL,       -- the last number given to an item
	gone     bigint NOT NULL,       -- the highest number of a pruned item: what came later is stored
	day      int NOT NULL,          -- of the last poll that brought something, counted from 1970
	arrived  timestamptz,           -- latest arrival of all items, pruned ones too
	pruned   timestamptz,           -- latest arrival of all pruned items
	names    text NOT NULL,         -- store.Names in JSON; empty before the first rename
	sweep    text NOT NULL,         -- where the next sweep goes on; empty before the first
	copying  text NOT NULL          -- store.Copying in JSON, while a copy into the store is not finished
);

-- Written with every poll: its index holds nothing that a poll changes, and its pages keep room, so
-- that a new version finds its place beside the old one.
CREATE TABLE IF NOT EXISTS feeds (
	outlet text COLLATE "C" NOT NULL,
	url    text COLLATE "C" NOT NULL,
	saves  bigint NOT NULL,
	items  int NOT NULL,
	state  text NOT NULL,           -- FeedState in JSON, but for its Items
	PRIMARY KEY (outlet, url)
) WITH (fillfactor = 60);

-- Apart from the states, which are written far more often.
CREATE TABLE IF NOT EXISTS recollections (
	outlet text COLLATE "C" NOT NULL,
	url    text COLLATE "C" NOT NULL,
	value  bytea NOT NULL,          -- a poll's Recollection
	PRIMARY KEY (outlet, url)
);

CREATE TABLE IF NOT EXISTS hosts (
	host   text COLLATE "C" PRIMARY KEY,
	owner  text NOT NULL,           -- who has it or had it last
	epoch  bigint NOT NULL,
	held   boolean NOT NULL,        -- and the owner has not given it back
	ends   timestamptz NOT NULL,    -- its lease
	ready  timestamptz NOT NULL,    -- when the owner may start its first request
	free   timestamptz NOT NULL,    -- when the next owner may
	hold   timestamptz              -- Retry-After
) WITH (fillfactor = 60);

CREATE TABLE IF NOT EXISTS items (
	id       bigint PRIMARY KEY,
	date     timestamptz NOT NULL,
	outlet   text COLLATE "C" NOT NULL,
	arrived  timestamptz NOT NULL,
	revision bigint NOT NULL,
	value    bytea NOT NULL         -- package record
);
CREATE INDEX IF NOT EXISTS items_by_date ON items (date, id);
CREATE INDEX IF NOT EXISTS items_by_outlet ON items (outlet, date, id);
CREATE INDEX IF NOT EXISTS items_by_arrival ON items (arrived, id);
CREATE INDEX IF NOT EXISTS items_by_revision ON items (revision, id);

CREATE TABLE IF NOT EXISTS bodies (
	item  bigint PRIMARY KEY,
	value bytea NOT NULL            -- package record, compressed
);

CREATE TABLE IF NOT EXISTS changes (
	item  bigint PRIMARY KEY,
	value text NOT NULL             -- its Changes in JSON
);

CREATE TABLE IF NOT EXISTS keys (
	key  uuid PRIMARY KEY,          -- a store.Key
	item bigint NOT NULL,
	day  int NOT NULL               -- when an outlet last listed it, counted from 1970
);

CREATE TABLE IF NOT EXISTS links (
	key   uuid PRIMARY KEY,
	day   int NOT NULL,
	value bytea NOT NULL            -- LinkRefs, package record
);

CREATE TABLE IF NOT EXISTS published (
	key  uuid PRIMARY KEY,          -- of a published id
	item bigint NOT NULL,
	day  int NOT NULL
);

CREATE TABLE IF NOT EXISTS stories (
	id    bigint PRIMARY KEY,
	value bytea NOT NULL            -- package record; only stories that were ever joined
);

CREATE TABLE IF NOT EXISTS prints (
	item  bigint PRIMARY KEY,
	value bytea NOT NULL            -- store.Print, of the items of the last days
);

CREATE TABLE IF NOT EXISTS notes (
	kind  text COLLATE "C" NOT NULL,
	key   text COLLATE "C" NOT NULL,
	value bytea NOT NULL,
	PRIMARY KEY (kind, key)
);
