-- Accounts with their identities and devices, and the keys of a project.
--
-- Every key leads with the project, so that a statement which forgets the project cannot use
-- an index and stands out. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE project_key (
    project BLOB NOT NULL CHECK (length(project) = 16),
    name    TEXT NOT NULL,
    sealed  BLOB NOT NULL,
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    project     BLOB    NOT NULL CHECK (length(project) = 16),
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    username    TEXT,
    -- Text, not a JSON type: the profile comes back to the letter.
    app_profile TEXT    NOT NULL,
    sign_up     INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- A JSON array of times, oldest first.
    logins      TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    -- Every account is active so far. The column is here so that suspending one will not have
    -- to rewrite the table.
    status      TEXT    NOT NULL DEFAULT 'active',
    PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    project      BLOB    NOT NULL CHECK (length(project) = 16),
    instance     TEXT    NOT NULL,
    issuer       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    account      BLOB    NOT NULL,
    external_key BLOB    NOT NULL CHECK (length(external_key) = 32),
    attributes   TEXT    NOT NULL,
    adapter_data BLOB,
    linked_at    INTEGER NOT NULL,
    PRIMARY KEY (project, instance, issuer, subject),
    UNIQUE (project, external_key),
    FOREIGN KEY (project, account) REFERENCES account (project, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_by_account ON identity (project, account);

CREATE TABLE device (
    project    BLOB    NOT NULL CHECK (length(project) = 16),
    account    BLOB    NOT NULL,
    device_key BLOB    NOT NULL CHECK (length(device_key) = 32),
    shown      TEXT    NOT NULL,
    sign_up    INTEGER NOT NULL,
    last_login INTEGER NOT NULL,
    PRIMARY KEY (project, account, device_key),
    FOREIGN KEY (project, account) REFERENCES account (project, id)
) STRICT, WITHOUT ROWID;
