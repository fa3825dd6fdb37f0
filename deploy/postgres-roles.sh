#!/bin/sh
# Run once by the Postgres image when it makes its cluster: the database, its owner, and the role for BI tools, which may
# log in and nothing else (what it may read is granted by the migrations). The embedded Postgres makes the same.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$LEADLINE_DATABASE_PASSWORD" --set bi_password="$LEADLINE_BI_PASSWORD" <<'SQL'
CREATE ROLE leadline LOGIN PASSWORD :'owner_password';
CREATE ROLE leadline_bi LOGIN PASSWORD :'bi_password';
CREATE DATABASE leadline OWNER leadline;
REVOKE ALL ON DATABASE leadline FROM PUBLIC;
GRANT CONNECT ON DATABASE leadline TO leadline_bi;
SQL
