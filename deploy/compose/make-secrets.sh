# Makes the passwords and the token key of the composition in a folder, unless they are there. A
# deployment for real visitors takes them from where it keeps its secrets.
set -o errexit -o nounset -o pipefail
cd "$1"
if [ -e complete ]; then exit 0; fi
random() { head --bytes=32 /dev/urandom | base64 --wrap=0 | tr '+/' '-_' | tr --delete '='; }
postgres=$(random)
redis=$(random)
random > queue-keys
random > grafana-password
echo "$postgres" > postgres-password
echo "postgres://boxoffice:$postgres@postgres:5432/boxoffice" > postgres-url
echo "$redis" > redis-password
printf 'requirepass %s\nmasterauth %s\n' "$redis" "$redis" > redis.conf
echo "redis://:$redis@queue-redis:6379" > redis-queue-url
echo "redis://:$redis@cache-redis:6379" > redis-cache-url
# Each service reads them as a user of its own, and only these services mount the volume.
chmod 0444 -- *
touch complete
