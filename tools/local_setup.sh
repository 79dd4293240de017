# The environment of ROS 2 from PyPI. Copied to .venv/local_setup.{sh,bash}, where colcon looks for
# it: `source install/setup.bash` sources it first, and says where .venv is.
for variable in AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH PATH; do
  case $variable in
    LD_LIBRARY_PATH) entry="$COLCON_CURRENT_PREFIX/lib" ;;
    PATH) entry="$COLCON_CURRENT_PREFIX/bin" ;;
    *) entry="$COLCON_CURRENT_PREFIX" ;;
  esac
  eval "value=\"\${$variable:-}\""
  case ":$value:" in
    *":$entry:"*) ;;
    *) export "$variable=$entry${value:+:$value}" ;;
  esac
done
unset variable entry value
export RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
