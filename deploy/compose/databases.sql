-- Dagster's database and one for each company: a backup is of one company, and so is a restore.
CREATE DATABASE dagster TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
CREATE DATABASE kimo_acme TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
