# Runs a Keycloak in a folder of its own and obeys lines of standard input: `kill` ends it as
# `kill -9` does, `start` starts it again on what it kept. When standard input ends, which it does
# when the test process does, however that comes about, nothing is left: no process and no file.
# $1: the distribution, built. $2: java. $3: the folder, with realms in data/import. $4: its port.
dist=$1 java=$2 folder=$3 port=$4
# Whoever interrupts the tests interrupts all of their processes; this one cleans up first.
trap '' HUP INT TERM

for part in bin conf lib providers themes; do
  ln -s "$dist/$part" "$folder/$part"
done
export KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin

start() {
  # As its own script starts it, but out of a folder that holds its data alone, and with the first
  # compiler only: a test is over before the second one pays.
  "$java" -XX:TieredStopAtLevel=1 -Xms64m -Xmx384m -XX:MaxMetaspaceSize=256m \
    -Djava.security.egd=file:/dev/urandom -Duser.language=en -Duser.country=US \
    --add-opens=java.base/java.util=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    --add-opens=java.base/java.security=ALL-UNNAMED \
    --add-opens=java.base/java.lang=ALL-UNNAMED \
    --enable-native-access=ALL-UNNAMED \
    -Dkc.home.dir="$folder" -Djboss.server.config.dir="$folder/conf" \
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager \
    -Dpicocli.disable.closures=true -Dquarkus-log-max-startup-records=10000 \
    -cp "$folder/lib/quarkus-run.jar" io.quarkus.bootstrap.runner.QuarkusEntryPoint \
    start --optimized --import-realm --http-enabled=true --http-host=127.0.0.1 \
    --http-port="$port" --hostname="http://localhost:$port" --cache=local \
    </dev/null >>"$folder/log" 2>&1 &
  pid=$!
}

start
while read -r word; do
  case $word in
    kill)
      # Its database, H2, writes half a second late what it has committed. A sign-in of the moment
      # before would be lost, and what outlives a crash of Keycloak is not what is tested.
      sleep 2
      kill -KILL "$pid"
      wait "$pid"
      echo killed
      ;;
    start)
      start
      echo started
      ;;
  esac
done
kill -KILL "$pid"
wait "$pid"
rm -rf "$folder"
