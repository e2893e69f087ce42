-- One database and one role for each service; no role enters another's database.
CREATE ROLE hearth_archive LOGIN PASSWORD 'for-trials-only';
CREATE ROLE hearth_hall LOGIN PASSWORD 'for-trials-only';
CREATE ROLE hearth_billing LOGIN PASSWORD 'for-trials-only';
CREATE ROLE hearth_vendor LOGIN PASSWORD 'for-trials-only';
CREATE DATABASE hearth_archive OWNER hearth_archive;
CREATE DATABASE hearth_hall OWNER hearth_hall;
CREATE DATABASE hearth_billing OWNER hearth_billing;
CREATE DATABASE hearth_vendor OWNER hearth_vendor;
REVOKE CONNECT ON DATABASE hearth_archive FROM PUBLIC;
REVOKE CONNECT ON DATABASE hearth_hall FROM PUBLIC;
REVOKE CONNECT ON DATABASE hearth_billing FROM PUBLIC;
REVOKE CONNECT ON DATABASE hearth_vendor FROM PUBLIC;
