//! Compares the entries with each other and with the database.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::entry::{ImportFault, ImportFaults, ImportPosition};

/// True before the import is written and after it.
const FAULTS: &str = "
    WITH concerts_in_order AS (
        SELECT *,
            first_value(title) OVER same_id AS first_title,
            first_value(place) OVER same_id AS first_place,
            first_value(line) OVER same_id AS first_line
        FROM import_concerts
        WINDOW same_id AS (PARTITION BY id ORDER BY line)
    ),
    dates_in_order AS (
        SELECT *,
            row_number() OVER same_id AS nth,
            first_value(line) OVER same_id AS first_line,
            first_value(id) OVER same_time AS twin,
            first_value(line) OVER same_time AS twin_line
        FROM import_dates
        WINDOW same_id AS (PARTITION BY id ORDER BY row),
            same_time AS (PARTITION BY concert_id, performance_at ORDER BY row)
    ),
    faults (line, item, field, what) AS (
        SELECT line, NULL::bigint, 'title',
            format('concert %s has another title on line %s', id, first_line)
        FROM concerts_in_order WHERE title <> first_title
        UNION ALL
        SELECT line, NULL, 'place',
            format('concert %s has another place on line %s', id, first_line)
        FROM concerts_in_order WHERE place <> first_place
        UNION ALL
        SELECT line, item, 'schedule_id', format('date %s is already on line %s', id, first_line)
        FROM dates_in_order WHERE nth > 1
        UNION ALL
        SELECT line, item, 'performance_at',
            format('concert %s already has a date at this time on line %s', concert_id, twin_line)
        FROM dates_in_order WHERE twin <> id
        UNION ALL
        SELECT i.line, i.item, 'schedule_id',
            format('date %s belongs to concert %s in the database', i.id, s.concert_id)
        FROM import_dates AS i JOIN schedules AS s ON s.id = i.id
        WHERE s.concert_id <> i.concert_id
        UNION ALL
        SELECT i.line, i.item, 'performance_at',
            format('concert %s has date %s at this time in the database', i.concert_id, s.id)
        FROM import_dates AS i
        JOIN schedules AS s ON s.concert_id = i.concert_id AND s.performance_at = i.performance_at
        WHERE NOT EXISTS (SELECT FROM import_dates AS own WHERE own.id = s.id)
        UNION ALL
        SELECT i.line, i.item, 'seats',
            format('seats above number %s that are held or sold: %s', i.seats, count(*))
        FROM import_dates AS i
        JOIN seats ON seats.schedule_id = i.id AND seats.number > i.seats
        WHERE i.standing = 'changed' AND seats.state <> 'free'
        GROUP BY i.line, i.item, i.row, i.seats
    )
    SELECT line, item, field, what, count(*) OVER () AS total
    FROM faults ORDER BY line, item LIMIT $1";

pub(super) async fn faults(
    transaction: &Transaction<'_>,
) -> Result<ImportFaults, tokio_postgres::Error> {
    let shown = i64::try_from(ImportFaults::SHOWN).unwrap_or(i64::MAX);
    let mut faults = ImportFaults::default();
    for row in transaction.query_typed(FAULTS, &[(&shown, Type::INT8)]).await? {
        let (line, item): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        let at = ImportPosition {
            line: line.unsigned_abs(),
            item: item.and_then(|item| u32::try_from(item).ok()),
        };
        faults.first.push(ImportFault { at, field: Some(row.try_get(2)?), what: row.try_get(3)? });
        faults.total = row.try_get::<_, i64>(4)?.unsigned_abs();
    }
    Ok(faults)
}
