//! Tables, versions, migrations.
