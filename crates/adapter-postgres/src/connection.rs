//! A diesel connection that also keeps the server's SQLSTATE, which diesel's errors omit.

mod statements;
mod transactions;

use std::error::Error as StdError;
use std::num::NonZeroU32;
use std::ops::Range;
use std::vec;

use bytes::BytesMut;
use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::pg::{
    FailedToLookupTypeError, Pg, PgMetadataCacheKey, PgMetadataLookup, PgQueryBuilder,
    PgTypeMetadata, PgValue,
};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{AsQuery, QueryBuilder as _, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::row::{Field, PartialRow, Row as DieselRow, RowIndex, RowSealed};
use diesel_async::{AsyncConnectionCore, SimpleAsyncConnection};
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

pub(crate) use self::statements::Statements;

use self::transactions::Transactions;

/// One connection. diesel-async's own connection maps a server error to a kind, mostly `Unknown`,
/// and drops the SQLSTATE, which alone distinguishes a faulty query from a faulty connection. A
/// result is read to the end before it is returned.
pub(crate) struct Connection {
    client: Client,
    statements: Statements,
    transactions: Transactions,
    /// The last error, until it is taken.
    failure: Option<tokio_postgres::Error>,
}

impl Connection {
    pub(crate) fn new(client: Client, statements: Statements) -> Self {
        Self { client, statements, transactions: Transactions::default(), failure: None }
    }

    /// Takes the driver's error of the last failed statement. `None` if the failure was diesel's
    /// own.
    pub(crate) fn take_failure(&mut self) -> Option<tokio_postgres::Error> {
        self.failure.take()
    }

    async fn query(&mut self, query: Query) -> QueryResult<Vec<tokio_postgres::Row>> {
        let rows = self.statements.query(&self.client, query).await;
        rows.map_err(|error| self.failed(error))
    }

    async fn execute(&mut self, query: Query) -> QueryResult<usize> {
        let changed = self.statements.execute(&self.client, query).await;
        let changed = changed.map_err(|error| self.failed(error))?;
        usize::try_from(changed).map_err(|error| DieselError::DeserializationError(Box::new(error)))
    }

    /// Stores the driver's error and returns diesel's.
    fn failed(&mut self, error: tokio_postgres::Error) -> DieselError {
        let text = Box::new(error.to_string());
        self.failure = Some(error);
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, text)
    }
}

impl SimpleAsyncConnection for Connection {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.client.batch_execute(query).await.map_err(|error| self.failed(error))
    }
}

impl AsyncConnectionCore for Connection {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type Stream<'conn, 'query> = stream::Iter<vec::IntoIter<QueryResult<Row>>>;
    type Row<'conn, 'query> = Row;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let query = Query::of(&source.as_query());
        Box::pin(async move {
            let rows = self.query(query?).await?;
            Ok(stream::iter(rows.into_iter().map(|row| Ok(Row(row))).collect::<Vec<_>>()))
        })
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let query = Query::of(&source);
        Box::pin(async move { self.execute(query?).await })
    }
}

/// A query as it is sent to the server.
struct Query {
    sql: String,
    types: Vec<Type>,
    binds: Vec<Bind>,
}

impl Query {
    fn of(query: &impl QueryFragment<Pg>) -> QueryResult<Self> {
        let mut sql = PgQueryBuilder::default();
        query.to_sql(&mut sql, &Pg)?;
        let mut collected = RawBytesBindCollector::<Pg>::new();
        query.collect_binds(&mut collected, &mut BuiltInTypes, &Pg)?;
        let types = collected.metadata.iter().map(type_of).collect::<QueryResult<_>>()?;
        Ok(Self {
            sql: sql.finish(),
            types,
            binds: collected.binds.into_iter().map(Bind).collect(),
        })
    }
}

fn type_of(metadata: &PgTypeMetadata) -> QueryResult<Type> {
    let refused = |why: Box<dyn StdError + Send + Sync>| DieselError::SerializationError(why);
    let oid = metadata.oid().map_err(|error| refused(Box::new(error)))?;
    Type::from_oid(oid).ok_or_else(|| refused("a bind is not of a built-in type".into()))
}

/// Queries here bind only built-in types, so no type is looked up.
struct BuiltInTypes;

impl PgMetadataLookup for BuiltInTypes {
    fn lookup_type(&mut self, name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let key = PgMetadataCacheKey::new(
            schema.map(|name| name.to_owned().into()),
            name.to_owned().into(),
        );
        PgTypeMetadata::from_result(Err(FailedToLookupTypeError::new(key)))
    }
}

/// A value serialized by diesel.
#[derive(Debug)]
struct Bind(Option<Vec<u8>>);

impl ToSql for Bind {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    /// The statement is sent with the types of its binds.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row of a result.
pub(crate) struct Row(tokio_postgres::Row);

impl RowSealed for Row {}

impl<'a> DieselRow<'a, Pg> for Row {
    type Field<'f>
        = Column<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.0.len()
    }

    fn get<'f, I>(&'f self, index: I) -> Option<Self::Field<'f>>
    where
        'a: 'f,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        let column = self.0.columns().get(index)?;
        let Raw(value) = self.0.try_get(index).ok()?;
        let oid = NonZeroU32::new(column.type_().oid())?;
        Some(Column { name: column.name(), value, oid })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for Row {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.0.len()).then_some(index)
    }
}

impl RowIndex<&str> for Row {
    fn idx(&self, name: &str) -> Option<usize> {
        self.0.columns().iter().position(|column| column.name() == name)
    }
}

/// A value of a row, as the server sent it.
pub(crate) struct Column<'f> {
    name: &'f str,
    value: Option<&'f [u8]>,
    oid: NonZeroU32,
}

impl<'f> Field<'f, Pg> for Column<'f> {
    fn field_name(&self) -> Option<&str> {
        Some(self.name)
    }

    fn value(&self) -> Option<<Pg as Backend>::RawValue<'_>> {
        self.value.map(|bytes| PgValue::new(bytes, &self.oid))
    }
}

/// The raw bytes of a value of any type, which diesel decodes.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Some(bytes)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
