"""Visual relocalization for robots: sparse-to-dense matching and the Neural Reprojection Error.

Nothing outside `dense_reloc_ros.nodes` imports ROS. The steps of the pipeline are the folders
`features`, `retrieval`, `matching` and `pose`; `localizer` runs them in this order.
"""

from pkgutil import extend_path

# Where the package runs from its sources, the messages that colcon generated lie in its other half.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
