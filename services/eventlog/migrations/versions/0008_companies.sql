-- What finds a company (P10, C1). Companies are made from here on: a lead of before joins one when its company is recorded anew.

CREATE TABLE leadline.company_identities (
    hmac bytea PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('name', 'site', 'phone', 'email')),
    company uuid NOT NULL
);
CREATE INDEX company_identities_company ON leadline.company_identities (company);
COMMENT ON TABLE leadline.company_identities IS 'Which company a normal name, a site (host) or a phone finds; by keyed hash, so the table holds no personal data. Removed when the company is erased.';
